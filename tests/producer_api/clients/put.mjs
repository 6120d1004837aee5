// Sends the same reading twice with Node's fetch.
const [url, body] = process.argv.slice(2);
for (let time = 0; time < 2; time += 1) {
  const answer = await fetch(url, { method: "PUT", headers: { "Content-Type": "application/json" }, body });
  console.log(answer.status, (await answer.text()).trim());
}
