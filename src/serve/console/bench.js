// The rule bench: sends the form while it is edited and puts the answer in place. Without it the form is sent by hand.
(() => {
  "use strict";
  const form = document.getElementById("bench");
  const answer = document.getElementById("answer");
  const state = document.getElementById("state");
  if (!form || !answer || !state) return;
  const policy = document.getElementById("policy");
  let running = null;
  let timer = 0;

  const send = async () => {
    clearTimeout(timer);
    if (running) running.abort();
    const mine = new AbortController();
    running = mine;
    answer.setAttribute("aria-busy", "true");
    state.textContent = state.dataset.working;
    try {
      const response = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { "X-Part": "answer" },
        signal: mine.signal,
        credentials: "same-origin",
      });
      if (response.redirected || response.status === 401) {
        location.reload();
        return;
      }
      const part = new DOMParser().parseFromString(await response.text(), "text/html");
      answer.replaceChildren(...part.body.childNodes);
      state.textContent = answer.querySelector("[data-state]")?.dataset.state ?? "";
    } catch (error) {
      if (error.name === "AbortError") return;
      state.textContent = state.dataset.failed;
    } finally {
      if (running === mine) {
        running = null;
        answer.removeAttribute("aria-busy");
      }
    }
  };

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(send, 500);
  });
  form.addEventListener("submit", (event) => {
    // The button that downloads the draft has an address of its own.
    if (event.submitter && event.submitter.hasAttribute("formaction")) return;
    event.preventDefault();
    send();
  });
  answer.addEventListener("click", (event) => {
    const place = event.target.closest("button[data-start]");
    if (!place) return;
    const start = Number(place.dataset.start);
    policy.focus();
    policy.setSelectionRange(start, Number(place.dataset.end));
    const lines = policy.value.slice(0, start).split("\n").length;
    policy.scrollTop = Math.max(0, (lines - 4) * (policy.scrollHeight / policy.value.split("\n").length));
  });
})();
