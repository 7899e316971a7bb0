// Verifies what tests/support/signed_webhooks.py prints with the npm library of Standard Webhooks.
const { Webhook } = require("standardwebhooks");
const { secrets, samples } = JSON.parse(require("fs").readFileSync(0, "utf8"));
let wrong = 0;
for (const secret of secrets) {
  for (const { headers, body, good } of samples) {
    let holds = true;
    try {
      new Webhook(secret).verify(body, headers);
    } catch {
      holds = false;
    }
    wrong += holds === good ? 0 : 1;
  }
}
console.log(`${samples.length} webhooks under ${secrets.length} secrets, ${wrong} judged otherwise than ours`);
process.exit(wrong ? 1 : 0);
