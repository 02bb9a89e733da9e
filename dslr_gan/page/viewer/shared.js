// What the two tabs with photos have in common: addresses, the caption, files that are dropped.

/** The address of a file of the server, also where the page lies below another address. */
function fileUrl(path) {
  if (!path || /^(blob|data|https?):/.test(path)) return path;
  const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
  return `${root}${api_prefix}/file=${path.split("/").map(encodeURIComponent).join("/")}`;
}

const percent = (share) => `${Math.round(100 * share)} %`;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
const tooLarge = (file, most) =>
  `${file.name} has ${(file.size / 1e6).toFixed(0)} MB; the page takes up to ${most / 1e6} MB.`;
const NO_ANSWER = "The server does not answer; look at your connection, then try again.";

/** A line that says what goes on, with its progress, Stop, and the button that an error advises. */
function makeCaption(root, advices) {
  root.querySelector(".dg-caption").insertAdjacentHTML(
    "afterbegin",
    `<span class="dg-words" role="status" aria-live="polite"></span>
    <progress class="dg-progress" max="1" value="0" hidden aria-label="Progress"></progress>
    <button type="button" class="dg-button dg-stop" hidden>Stop</button>
    <button type="button" class="dg-button dg-advice" hidden></button>`,
  );
  const part = (name) => root.querySelector(`.dg-caption ${name}`);
  return (words, { kind = "info", progress = null, canStop = false, advice = null } = {}) => {
    root.querySelector(".dg-caption").dataset.kind = kind;
    if (part(".dg-words").textContent !== words) part(".dg-words").textContent = words;
    // A screen reader is told of each step, and not of each tile.
    part(".dg-words").setAttribute("aria-live", progress === null ? "polite" : "off");
    const bar = part(".dg-progress");
    bar.hidden = kind !== "working";
    if (progress === null) bar.removeAttribute("value"); // how far it is, nobody knows yet
    else bar.value = progress;
    part(".dg-stop").hidden = !canStop;
    const button = part(".dg-advice");
    button.hidden = !advice;
    if (!advice) return;
    button.textContent = advices[advice];
    button.dataset.action = advice;
  };
}

/** Add buttons, one of which is chosen; choices: a value, words, and a longer explanation each. */
function addChoices(place, name, choices) {
  for (const [value, words, title] of choices) {
    const label = document.createElement("label");
    label.innerHTML = `<input type="radio" name="${name}" value="${value}"><span>${words}</span>`;
    if (title) label.title = title;
    place.append(label);
  }
}

/** Hand on files that are dropped anywhere on the page, or pasted, while root is in sight. */
function takeDropped(root, take) {
  const isVisible = () => root.offsetParent !== null;
  let dragging = 0;
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
    document.addEventListener(kind, (event) => {
      if (!isVisible() || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      dragging = { dragenter: dragging + 1, dragover: dragging || 1, dragleave: dragging - 1, drop: 0 }[kind];
      root.classList.toggle("dg-dropping", dragging > 0);
      if (kind === "drop") take([...event.dataTransfer.files], event.target);
    });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (files.length && isVisible()) take(files, event.target);
  });
}
