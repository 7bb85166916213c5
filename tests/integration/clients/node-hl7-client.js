// Sends the messages of a JSON file with node-hl7-client, over one connection; prints each acknowledgement as it reads it.
const fs = require("fs");
const { Client, Message } = require("node-hl7-client");

const [, , port, file, version] = process.argv;
const messages = JSON.parse(fs.readFileSync(file, "utf8"));
let answered;
const client = new Client({ host: "127.0.0.1", version });
const connection = client.createConnection({ port: Number(port) }, (answer) => {
  const message = answer.getMessage();
  const [code, controlId] = ["MSA.1", "MSA.2"].map((path) => message.get(path).toString());
  console.log(JSON.stringify({ code, controlId }));
  answered();
});

connection.once("connect", async () => {
  for (const text of messages) {
    const ready = new Promise((resolve) => { answered = resolve; });
    await connection.sendMessage(new Message({ text }));
    await ready;
  }
  await connection.close();
});
connection.on("client.error", (error) => { throw error; });
connection.on("data.error", (error) => { throw error; });
