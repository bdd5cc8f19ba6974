// One stream of events for all tabs of a browser: a browser opens six connections to a host at most, and each stream is one.

const ports = new Set();
let source = null;
let connected = false;

function send(message) {
  for (const port of ports) port.postMessage(message);
}

function listen() {
  source = new EventSource("/limner/events");
  source.onopen = () => { connected = true; send({ connected }); };
  source.onmessage = (event) => {
    const data = JSON.parse(event.data);
    send({ data });
  };
  source.onerror = () => {
    connected = false;
    send({ connected });
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

self.onconnect = (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = (message) => { if (message.data === "bye") ports.delete(port); };
  port.postMessage({ connected });
  if (source === null) listen();
};
