// Many photos: what is chosen, what is done, what failed and why, and each before and after.

const root = element.querySelector(".dg");
const find = (selector) => root.querySelector(selector);
const settings = props.settings;
const caption = makeCaption(root, { open: "Choose photos or zips", retry: "Try again" });
const box = find(".dg-lightbox");
const compare = makeCompare(box.querySelector(".dg-stage"), () => {});
let chosen = []; // the person's files
let job = 0;
let isBusy = false;
let isSending = false;
let isStopping = false;
let items = []; // what is enhanced
let open = 0; // the one that is shown large

// ---- What is chosen

const isTooLarge = (file) => file.size > settings.max_bytes;
const good = () => chosen.filter((file) => !isTooLarge(file));

function add(files) {
  if (isBusy) return;
  const isThere = (file) =>
    chosen.some((one) => one.name === file.name && one.size === file.size && one.lastModified === file.lastModified);
  chosen.push(...files.filter((file) => !isThere(file)));
  showChosen();
}

function showChosen() {
  const count = good().length;
  find(".dg-chosen").hidden = !chosen.length;
  find(".dg-clear").hidden = !chosen.length;
  const bytes = good().reduce((sum, file) => sum + file.size, 0);
  find(".dg-sum").textContent = chosen.length ? `${count} ${count === 1 ? "file" : "files"}, ${megabytes(bytes)}` : "";
  find(".dg-chosen").replaceChildren(...chosen.map(chosenLine));
  showState();
}

function showState() {
  root.dataset.state = isBusy ? "working" : chosen.length ? "chosen" : "empty";
  for (const one of root.querySelectorAll(".dg-many-files, .dg-clear, .dg-remove, .dg-bar input, .dg-start"))
    one.disabled = isBusy;
  // One button at a time is coloured: the one that is next.
  find(".dg-start").classList.toggle("dg-primary", find(".dg-zip").hidden);
}

function chosenLine(file) {
  const line = document.createElement("li");
  const [name, size, remove] = ["span", "span", "button"].map((kind) => document.createElement(kind));
  name.textContent = file.name;
  size.textContent = isTooLarge(file) ? `left out: more than ${settings.max_bytes / 1e6} MB` : megabytes(file.size);
  size.className = isTooLarge(file) ? "dg-wrong" : "dg-hint";
  remove.type = "button";
  remove.className = "dg-remove";
  remove.textContent = "×";
  remove.setAttribute("aria-label", `Remove ${file.name}`);
  remove.addEventListener("click", () => {
    const place = chosen.indexOf(file);
    chosen.splice(place, 1);
    showChosen();
    // The keyboard goes on where it was.
    const others = root.querySelectorAll(".dg-remove");
    (others[Math.min(place, others.length - 1)] || find(".dg-many-files")).focus();
  });
  line.append(name, size, remove);
  return line;
}

// ---- The work

async function start() {
  if (!good().length) return caption("There are no photos yet; choose some, or a zip of them.", { kind: "error", advice: "open" });
  const mine = ++job;
  isSending = true;
  isBusy = true;
  isStopping = false;
  showResults([], null);
  const sent = [];
  for (const [index, file] of good().entries()) {
    const place = good().length > 1 ? ` (${index + 1} of ${good().length})` : "";
    caption(`Sending ${file.name}${place} …`, { kind: "working", progress: index / good().length, canStop: true });
    try {
      sent.push({ path: (await upload(file)).path, meta: { _type: "gradio.FileData" } });
    } catch {
      if (mine === job) fail(`${file.name} did not arrive: the connection broke off.`);
      return;
    }
    if (mine !== job) return;
  }
  isSending = false;
  caption("Looking …", { kind: "working", canStop: true });
  const phone = find(".dg-makers input:checked").value;
  trigger("enhance", { job, files: sent, phone, strength: find(".dg-many-strength").value / 100 });
}

function fail(message) {
  isBusy = false;
  caption(message, { kind: "error", advice: "retry" });
  showState();
}

function stopIt() {
  trigger("stop", {});
  // What was not sent yet, nobody works on: nobody else will say that it has stopped.
  if (!isSending) {
    isStopping = true;
    return caption("Stopping …", { kind: "working" });
  }
  job++;
  isBusy = false;
  caption("Stopped.");
  showState();
}

function show(answer) {
  if (answer.job !== job || !isBusy) return;
  isBusy = !["done", "error"].includes(answer.state);
  if (answer.state === "error" && isStopping) caption("Stopped.");
  else if (answer.state === "error") caption(answer.message, { kind: "error", advice: answer.advice });
  else if (isBusy && isStopping) return; // it ends with the tile that is in work
  else if (isBusy) caption(answer.says, { kind: "working", progress: answer.share, canStop: true });
  else caption(answer.says);
  showResults(answer.items, answer.zip, answer.bytes);
}

function showResults(all, zip, bytes) {
  const link = find(".dg-zip");
  link.hidden = !zip;
  if (zip) {
    link.href = fileUrl(zip);
    link.download = zip.split("/").at(-1);
    link.textContent = `Download the zip · ${megabytes(bytes)}`;
  }
  const others = all.filter((item) => !item.after);
  find(".dg-failed").hidden = !others.length;
  find(".dg-failed").replaceChildren(
    ...others.map((item) => {
      const line = document.createElement("li");
      const file = item.name.split("/").at(-1); // the reason may name it, without its folder
      line.textContent = item.reason.includes(file) ? item.reason.replace(file, item.name) : `${item.name}: ${item.reason}`;
      return line;
    }),
  );
  items = all.filter((item) => item.after);
  const place = find(".dg-items");
  if (place.children.length > items.length) place.replaceChildren();
  for (const [index, item] of items.entries()) {
    if (place.children[index]) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(document.createElement("img"), document.createElement("span"));
    button.firstChild.src = fileUrl(item.after);
    button.firstChild.alt = "";
    button.lastChild.textContent = item.name;
    button.addEventListener("click", () => look(index));
    place.append(button);
  }
  showState();
}

// ---- One of them, before and after

async function look(index) {
  open = (index + items.length) % items.length;
  const item = items[open];
  const pane = { original: fileUrl(item.before), enhanced: fileUrl(item.after), left: "Before", right: "After", cut: "enhanced" };
  const picture = new Image();
  picture.src = pane.enhanced;
  await picture.decode().catch(() => {});
  if (item !== items[open]) return;
  if (!box.open) box.showModal();
  // A small picture has its own size: it does not pass for the photo.
  const size = { width: picture.naturalWidth || item.width, height: picture.naturalHeight || item.height };
  const scaled = size.width < item.width ? " · shown scaled down" : "";
  const words = [item.name, `${item.width}×${item.height}${scaled}`, ...(item.notes || [])];
  find(".dg-lightbox-words").textContent = words.join(" · ");
  compare.at.zoom = 0;
  compare.show([pane], size, null);
}

// ---- What a person does

addChoices(find(".dg-makers"), "dg-many-phone", [
  ["auto", "By EXIF", "Each photo gets the model of its camera's maker"],
  ...settings.phones.map((one) => [one.name, one.title]),
]);
find(".dg-makers input").checked = true;
find(".dg-limits").textContent = `Up to ${settings.max_photos} photos, ${settings.max_bytes / 1e6} MB a file`;
find(".dg-many-files").addEventListener("change", (event) => {
  add([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});
find(".dg-clear").addEventListener("click", () => {
  chosen = [];
  showChosen();
  find(".dg-many-files").focus();
});
find(".dg-many-strength").addEventListener("input", (event) => {
  find(".dg-many-value").textContent = percent(event.target.value / 100);
});
find(".dg-start").addEventListener("click", start);
find(".dg-advice").addEventListener("click", (event) => {
  if (event.target.dataset.action === "open") find(".dg-many-files").click();
  else start();
});
find(".dg-stop").addEventListener("click", stopIt);
find(".dg-previous").addEventListener("click", () => look(open - 1));
find(".dg-next").addEventListener("click", () => look(open + 1));
find(".dg-close").addEventListener("click", () => box.close());
takeDropped(root, add);
watch("value", () => props.value && show(props.value));
document.addEventListener("dg-many-failed", () => {
  if (isBusy) fail(NO_ANSWER);
});
showChosen();
caption(
  "The zip keeps names, folders, EXIF and colour profiles. A file that cannot be enhanced is listed with the reason, and the others go on.",
);
