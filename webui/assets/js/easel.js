// The picture with its mask on a canvas: zoom, pan, brush, and the frame that extends the picture.

import { make } from "./dom.js";
import { framed, sideAt, SIDES } from "./frame.js";

const ROOM = 24; // pixels around a picture that fits
const SHARPEST = 16; // how much a pixel can be enlarged
const SCREEN = 2048; // the longest side of the copy that is shown while all of the picture is in view

export class Easel {
  // `heard` is told of "paint", "view" and "extend" {left, top, right, bottom}.
  constructor(box, heard) {
    [this.box, this.heard] = [box, heard];
    this.under = make("canvas", { "aria-hidden": "true" });
    this.over = make("canvas", { "aria-hidden": "true" });
    box.replaceChildren(this.under, this.over);
    Object.assign(this, { picture: null, small: null, mask: null, sides: null, tool: "brush", size: 48, opacity: 0.6, pointer: null, fitted: true });
    this.view = { scale: 1, x: 0, y: 0 }; // where the picture's corner is, in the box's pixels
    this.asked = { under: false, over: false };
    new ResizeObserver(() => this.resize()).observe(box);
  }

  async show(image, mask) {
    this.picture = image;
    this.mask = mask;
    const longest = Math.max(image.width, image.height);
    this.small = longest > SCREEN ? await createImageBitmap(image, { resizeWidth: Math.round((image.width * SCREEN) / longest), resizeHeight: Math.round((image.height * SCREEN) / longest), resizeQuality: "medium" }) : null;
    this.fit();
  }

  clear() {
    Object.assign(this, { picture: null, small: null, mask: null });
    this.draw();
  }

  // ---- where things are

  resize() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [this.under, this.over]) {
      canvas.width = Math.round(this.box.clientWidth * ratio);
      canvas.height = Math.round(this.box.clientHeight * ratio);
    }
    this.ratio = ratio;
    if (this.fitted) this.fit(); else this.draw();
  }

  // All of the picture with its frame, in the middle.
  fit() {
    if (!this.picture || !this.box.clientWidth) return;
    const { left, top, width, height } = framed(this.picture, this.sides);
    const [across, down] = [this.box.clientWidth - 2 * ROOM, this.box.clientHeight - 2 * ROOM];
    const scale = Math.max(0.01, Math.min(across / width, down / height, 8));
    this.view = { scale, x: (this.box.clientWidth - width * scale) / 2 - left * scale, y: (this.box.clientHeight - height * scale) / 2 - top * scale };
    this.fitted = true;
    this.draw();
    this.heard("view");
  }

  zoom(factor, x = this.box.clientWidth / 2, y = this.box.clientHeight / 2) {
    const { scale } = this.view;
    const next = Math.min(SHARPEST, Math.max(0.02, scale * factor));
    this.view = { scale: next, x: x - ((x - this.view.x) * next) / scale, y: y - ((y - this.view.y) * next) / scale };
    this.fitted = false;
    this.draw();
    this.heard("view");
  }

  pan(x, y) {
    this.view = { ...this.view, x: this.view.x + x, y: this.view.y + y };
    this.fitted = false;
    this.draw();
  }

  // A place on the screen in the picture's pixels.
  at({ clientX, clientY }) {
    const box = this.box.getBoundingClientRect();
    return { x: (clientX - box.left - this.view.x) / this.view.scale, y: (clientY - box.top - this.view.y) / this.view.scale };
  }

  sideUnder(event) {
    return this.sides && this.picture ? sideAt(this.at(event), framed(this.picture, this.sides), 14 / this.view.scale) : null;
  }

  // ---- drawing it, at most once a frame

  draw() { this.ask("under"); this.ask("over"); }

  ask(layer) {
    if (this.asked[layer]) return;
    this.asked[layer] = true;
    requestAnimationFrame(() => { this.asked[layer] = false; if (layer === "under") this.drawUnder(); else this.drawOver(); });
  }

  pen(canvas) {
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const { scale, x, y } = this.view;
    pen.setTransform(scale * this.ratio, 0, 0, scale * this.ratio, x * this.ratio, y * this.ratio);
    return pen;
  }

  drawUnder() {
    const pen = this.pen(this.under);
    if (!this.picture) return;
    const { width, height } = this.picture;
    if (this.sides) this.drawFrame(pen);
    pen.imageSmoothingEnabled = this.view.scale < 3;
    pen.imageSmoothingQuality = "medium";
    const close = !this.small || this.view.scale * this.ratio * width > this.small.width;
    pen.drawImage(close ? this.picture : this.small, 0, 0, width, height);
  }

  drawFrame(pen) {
    const { left, top, width, height } = framed(this.picture, this.sides);
    const step = 12 / this.view.scale;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    pen.fillStyle = colour(this.box, "--lm-raised");
    pen.fillRect(left, top, width, height);
    pen.strokeStyle = colour(this.box, "--lm-raised-hover");
    pen.lineWidth = 2 / this.view.scale;
    pen.beginPath();
    for (let at = left - height; at < left + width; at += step) { pen.moveTo(at, top + height); pen.lineTo(at + height, top); }
    pen.stroke();
    pen.restore();
  }

  drawOver() {
    const pen = this.pen(this.over);
    if (!this.picture) return;
    const { width, height } = this.picture;
    if (this.sides) this.drawHandles(pen);
    else if (this.mask) {
      pen.globalAlpha = this.opacity;
      pen.imageSmoothingEnabled = this.view.scale * this.ratio < 3;
      pen.drawImage(this.mask.canvas, 0, 0, width, height);
      pen.globalAlpha = 1;
      pen.globalCompositeOperation = "source-in";
      pen.fillStyle = colour(this.box, "--lm-mask");
      pen.fillRect(0, 0, width, height);
      pen.globalCompositeOperation = "source-over";
      if (this.pointer && this.tool !== "hand") this.drawBrush(pen);
    }
  }

  drawHandles(pen) {
    const frame = framed(this.picture, this.sides);
    pen.strokeStyle = colour(this.box, "--lm-accent");
    pen.lineWidth = 2 / this.view.scale;
    pen.setLineDash([8 / this.view.scale, 5 / this.view.scale]);
    pen.strokeRect(frame.left, frame.top, frame.width, frame.height);
    pen.setLineDash([]);
    const [long, short] = [36 / this.view.scale, 8 / this.view.scale];
    for (const side of SIDES) {
      const { x, y, upright } = framed.middle(frame, side);
      const [wide, high] = upright ? [short, long] : [long, short];
      pen.fillStyle = colour(this.box, this.pointer?.side === side ? "--lm-text" : "--lm-accent");
      pen.beginPath();
      pen.roundRect(x - wide / 2, y - high / 2, wide, high, short / 2);
      pen.fill();
    }
  }

  drawBrush(pen) {
    const { x, y } = this.pointer;
    for (const [style, width] of [["#000a", 3], ["#fff", 1.25]]) {
      pen.strokeStyle = style;
      pen.lineWidth = width / this.view.scale;
      pen.beginPath();
      pen.arc(x, y, Math.max(0.5, this.size / 2), 0, 2 * Math.PI);
      pen.stroke();
    }
  }
}

const colour = (element, name) => getComputedStyle(element).getPropertyValue(name).trim() || "#888";
