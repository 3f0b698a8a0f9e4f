"use strict";
(() => {
  const page = document.documentElement;
  const tools = document.querySelector(".tools");
  if (!tools) return;
  tools.hidden = false;
  const troubled = () => document.querySelectorAll("details.answer:not(.o-pass):not(.o-not-applicable)");
  const only = document.getElementById("only");
  only.addEventListener("click", () => {
    const on = only.getAttribute("aria-pressed") !== "true";
    only.setAttribute("aria-pressed", String(on));
    page.classList.toggle("only-trouble", on);
  });
  document.getElementById("open").addEventListener("click", () => troubled().forEach((one) => { one.open = true; }));
  document.getElementById("close").addEventListener("click", () =>
    document.querySelectorAll("main details[open]").forEach((one) => { one.open = false; }));
  const find = document.getElementById("find");
  const filter = () => {
    const words = find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...document.querySelectorAll("main tr.check")];
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.classList.toggle("unmatched", !words.every((word) => text.includes(word)));
    }
    page.classList.toggle("searching", words.length > 0);
    const left = rows.filter((row) => row.checkVisibility()).length;
    document.getElementById("found").textContent = words.length ? `${left} check${left === 1 ? "" : "s"}` : "";
  };
  find.addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target === find) return;
    event.preventDefault();
    find.focus();
  });
  const showPair = () => {
    const pair = location.hash.slice(1).split("/", 2).join("/"); // of a check's own link, too: SRC/DST/ID
    const waiting = document.querySelector(`noscript[data-pair="${CSS.escape(pair)}"]`);
    if (waiting) {
      waiting.insertAdjacentHTML("beforebegin", waiting.textContent);
      waiting.remove();
      location.replace(location.hash); // an element that comes after its link was followed is no :target yet
    }
    filter();
  };
  window.addEventListener("hashchange", showPair);
  showPair();
  // The line that a finding quotes may be far down in a long console.
  const showQuoted = (within) => within.querySelectorAll("pre:has(mark)").forEach((text) => {
    text.scrollTop = text.querySelector("mark").offsetTop - text.offsetTop - text.clientHeight / 2;
  });
  document.addEventListener("toggle", (event) => showQuoted(event.target), true); // it does not bubble
  showQuoted(document);
  window.addEventListener("beforeprint", () => troubled().forEach((one) => { one.open = true; }));
})();
