// The mask as pixels: strokes, invert, clear, and a way back. White and opaque is what changes; nothing is what stays.

const LONGEST = 2048; // a mask of a larger picture is kept smaller; the studio brings it to the picture's size
const HISTORY_BYTES = 96 * 1024 * 1024;

export class Mask {
  constructor(width, height) {
    this.scale = Math.min(1, LONGEST / Math.max(width, height));
    this.width = Math.max(1, Math.round(width * this.scale));
    this.height = Math.max(1, Math.round(height * this.scale));
    this.canvas = new OffscreenCanvas(this.width, this.height);
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    this.before = new Uint8Array(this.width * this.height); // the opacities as of the last finished change
    this.done = [];
    this.undone = [];
    this.stroke = null;
  }

  get canUndo() { return this.done.length > 0; }
  get canRedo() { return this.undone.length > 0; }

  // ---- strokes, in the picture's pixels

  begin(x, y, size, erase) {
    this.stroke = { size: Math.max(1, size * this.scale), erase, x: x * this.scale, y: y * this.scale, box: null };
    this.to(x, y);
  }

  to(x, y) {
    const { stroke, pen } = this;
    if (!stroke) return;
    [x, y] = [x * this.scale, y * this.scale];
    pen.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
    pen.strokeStyle = pen.fillStyle = "#fff";
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = stroke.size;
    pen.beginPath();
    if (x === stroke.x && y === stroke.y) {
      pen.arc(x, y, stroke.size / 2, 0, 2 * Math.PI);
      pen.fill();
    } else {
      pen.moveTo(stroke.x, stroke.y);
      pen.lineTo(x, y);
      pen.stroke();
    }
    const reach = stroke.size / 2 + 2;
    stroke.box = joined(stroke.box, [Math.min(x, stroke.x) - reach, Math.min(y, stroke.y) - reach, Math.max(x, stroke.x) + reach, Math.max(y, stroke.y) + reach]);
    [stroke.x, stroke.y] = [x, y];
  }

  // Returns whether anything changed.
  end() {
    const box = this.stroke?.box;
    this.stroke = null;
    return box ? this.keep(box) : false;
  }

  // A stroke that turned out to be something else, the first finger of two for example.
  forget() {
    const box = this.stroke?.box;
    this.stroke = null;
    if (box) this.write(this.within(box), null);
  }

  // ---- all of it at once

  invert() {
    this.pen.globalCompositeOperation = "xor";
    this.pen.fillStyle = "#fff";
    this.pen.fillRect(0, 0, this.width, this.height);
    return this.keep([0, 0, this.width, this.height]);
  }

  clear() {
    this.pen.clearRect(0, 0, this.width, this.height);
    return this.keep([0, 0, this.width, this.height]);
  }

  // Takes over a mask picture (grey, white = change) as the state that nothing leads back behind.
  load(image) {
    this.pen.globalCompositeOperation = "copy";
    this.pen.drawImage(image, 0, 0, this.width, this.height);
    const pixels = this.pen.getImageData(0, 0, this.width, this.height);
    for (let at = 0; at < pixels.data.length; at += 4) {
      const value = pixels.data[at];
      pixels.data[at] = pixels.data[at + 1] = pixels.data[at + 2] = 255;
      pixels.data[at + 3] = value;
      this.before[at / 4] = value;
    }
    this.pen.putImageData(pixels, 0, 0);
    [this.done, this.undone] = [[], []];
  }

  get empty() { return !this.before.some(Boolean); }

  // How much of the picture is painted over, 0 to 1.
  get share() {
    let sum = 0;
    for (const value of this.before) sum += value > 0;
    return sum / this.before.length;
  }

  blob() { return this.canvas.convertToBlob({ type: "image/png" }); }

  // ---- the way back

  undo() { return this.step(this.done, this.undone, "old"); }
  redo() { return this.step(this.undone, this.done, "new"); }

  step(from, to, which) {
    const change = from.pop();
    if (!change) return false;
    this.write(change.box, change[which]);
    to.push(change);
    return true;
  }

  keep(box) {
    const [left, top, width, height] = this.within(box);
    if (!width || !height) return false;
    const now = this.read(left, top, width, height);
    const old = new Uint8Array(now.length);
    let same = true;
    for (let row = 0; row < height; row++) {
      const from = (top + row) * this.width + left;
      const line = this.before.subarray(from, from + width);
      old.set(line, row * width);
      for (let at = 0; same && at < width; at++) same = line[at] === now[row * width + at];
      this.before.set(now.subarray(row * width, (row + 1) * width), from);
    }
    if (same) return false;
    this.done.push({ box: [left, top, width, height], old, new: now });
    this.undone = [];
    let bytes = 0;
    for (let at = this.done.length - 1; at >= 0; at--) {
      bytes += 2 * this.done[at].old.length;
      if (bytes > HISTORY_BYTES && at < this.done.length - 1) { this.done.splice(0, at + 1); break; }
    }
    return true;
  }

  read(left, top, width, height) {
    const { data } = this.pen.getImageData(left, top, width, height);
    const opacities = new Uint8Array(width * height);
    for (let at = 0; at < opacities.length; at++) opacities[at] = data[4 * at + 3];
    return opacities;
  }

  // Puts opacities into a box; without any, those of the last finished change.
  write([left, top, width, height], opacities) {
    const pixels = new ImageData(width, height);
    for (let row = 0; row < height; row++) {
      const from = (top + row) * this.width + left;
      const line = opacities ? opacities.subarray(row * width, (row + 1) * width) : this.before.subarray(from, from + width);
      for (let at = 0; at < width; at++) {
        const to = 4 * (row * width + at);
        pixels.data[to] = pixels.data[to + 1] = pixels.data[to + 2] = 255;
        pixels.data[to + 3] = line[at];
      }
      if (opacities) this.before.set(line, from);
    }
    this.pen.putImageData(pixels, left, top);
  }

  within([left, top, right, bottom]) {
    const x = Math.min(this.width, Math.max(0, Math.floor(left)));
    const y = Math.min(this.height, Math.max(0, Math.floor(top)));
    return [x, y, Math.max(0, Math.min(this.width, Math.ceil(right)) - x), Math.max(0, Math.min(this.height, Math.ceil(bottom)) - y)];
  }
}

function joined(one, other) {
  if (!one) return other;
  return [Math.min(one[0], other[0]), Math.min(one[1], other[1]), Math.max(one[2], other[2]), Math.max(one[3], other[3])];
}
