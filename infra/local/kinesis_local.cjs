// Loaded into kinesis-local before its own code. Two things it has no settings for: it listens on every interface of
// the machine (here: loopback only), and LocalStack picks its port without telling anybody (here: written to a file).
const fs = require("node:fs");
const net = require("node:net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  const options = typeof first === "object" ? first : { port: first };
  const callback = rest.find((argument) => typeof argument === "function");
  return listen.call(this, { ...options, host: "127.0.0.1" }, callback);
};

const { KINESIS_LOCAL_PORT_FILE: file, KINESIS_MOCK_PLAIN_PORT: port } = process.env;
if (file && port) fs.writeFileSync(file, port);
