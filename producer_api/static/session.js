/** Signs a person in: with the key in the form, or the one in a shared link, which leaves the address at once. */

const said = document.getElementById("said");

async function signIn(key) {
  const answer = await fetch(document.getElementById("sign-in")?.action ?? "api/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key }),
  });
  if (answer.ok) {
    location.reload();
    return;
  }
  const told = await answer.json().catch(() => null);
  if (said) said.textContent = told?.detail ?? "The server does not answer as expected. Try again.";
}

const shared = new URLSearchParams(location.hash.slice(1)).get("key");
if (shared) {
  history.replaceState(null, "", location.pathname + location.search);
  signIn(shared);
}

document.getElementById("sign-in")?.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(new FormData(event.target).get("key"));
});
