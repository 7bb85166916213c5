// Sends the messages of a JSON file with simple-hl7, over one connection; prints each acknowledgement as it reads it.
const fs = require("fs");
const hl7 = require("simple-hl7");

const [, , port, file] = process.argv;
const messages = JSON.parse(fs.readFileSync(file, "utf8"));
const parser = new hl7.Parser({ segmentSeperator: "\r" });
const client = hl7.Server.createTcpClient({ host: "127.0.0.1", port: Number(port), keepalive: true });

function send() {
  const message = messages.shift();
  if (message === undefined) return client.close();
  client.send(parser.parse(message), (error, ack) => {
    if (error) throw error;
    const msa = ack.getSegment("MSA");
    console.log(JSON.stringify({ code: msa.getField(1), controlId: msa.getField(2) }));
    // The client sets its own state after this callback.
    setImmediate(send);
  });
}

send();
