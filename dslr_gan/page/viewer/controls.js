// What a person does on the photo tab: buttons, keys, files. Goes on from asking.js.

function setView(view) {
  now.view = view;
  if (view === "map") drawMaps();
  render();
}

function choosePhone(name) {
  now.choice = name;
  now.isChosen = true;
  remember();
  if (now.busy || finished().length < chosen().length) {
    now.job++; // what runs ends when the next of this session begins
    run();
  } else {
    render();
    followAmounts();
    if (now.dslr) measureReference(now.dslr.reference);
  }
}

addChoices(find(".dg-phones"), "dg-phone", [...settings.phones.map((one) => [one.name, one.title]), ["both", "Both"]]);
for (const radio of all(".dg-phones input"))
  radio.addEventListener("change", () => choosePhone(radio.value));
for (const radio of all(".dg-views input"))
  radio.addEventListener("change", () => setView(radio.value));
for (const button of all(".dg-zoom button"))
  button.addEventListener("click", () => {
    const box = find(".dg-pane")?.getBoundingClientRect();
    if (box) compare.zoom(Number(button.dataset.zoom), box.left + box.width / 2, box.top + box.height / 2);
  });

const strength = find(".dg-strength-range");
strength.addEventListener("input", () => {
  now.strength = strength.value / 100;
  showStrength();
  for (const tag of all(".dg-pane")) relabel(tag);
  showNumbers();
});
strength.addEventListener("change", () => {
  remember();
  render();
  if (now.view === "map") drawMaps();
});

function relabel(pane) {
  for (const tag of pane.querySelectorAll(".dg-tag"))
    if (/ \d+ %$/.test(tag.textContent)) tag.textContent = tag.textContent.replace(/\d+ %$/, percent(now.strength));
}

for (const range of all(".dg-amount")) {
  range.addEventListener("input", () => {
    now[range.dataset.amount] = range.value / 100;
    showStrength();
    if (now.colour !== now.detail) fetchLayers();
  });
  range.addEventListener("change", measureAgain);
}
find(".dg-more").addEventListener("click", () => {
  const isOpen = !find(".dg-amounts").toggleAttribute("hidden");
  find(".dg-more").setAttribute("aria-expanded", isOpen);
  if (isOpen && finished().every((name) => now.phones[name].result)) fetchLayers(); // soon wanted
});

const hold = find(".dg-hold");
for (const [kind, whether] of [["pointerdown", true], ["pointerup", false], ["pointerleave", false], ["pointercancel", false]])
  hold.addEventListener(kind, () => compare.hold(whether));
hold.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && (event.preventDefault(), compare.hold(true)));
hold.addEventListener("keyup", () => compare.hold(false));
hold.addEventListener("blur", () => compare.hold(false));

find(".dg-download").addEventListener("click", () => save("download", "Writing the file …"));
find(".dg-share").addEventListener("click", () => save("share_picture", "Drawing the picture …"));
find(".dg-link").addEventListener("click", async () => {
  remember();
  try {
    await navigator.clipboard.writeText(location.href);
    caption("The link is copied: it opens the page with this phone and strength.");
  } catch {
    caption(`Copy this link: ${location.href}`);
  }
});
find(".dg-stop").addEventListener("click", () => {
  now.job++;
  trigger("stop", {});
  now.busy = false;
  const isWhole = finished().length === chosen().length;
  const isQuick = !isWhole && chosen().some((name) => now.phones[name]);
  caption(isQuick ? "Stopped. What you see is the quick picture, with the tiles that were finished." : "Stopped.", { advice: isWhole ? null : "resume" });
  render();
});
find(".dg-advice").addEventListener("click", (event) => {
  const action = event.target.dataset.action;
  if (action === "open") find(".dg-file").click();
  else if (action === "reference") find(".dg-reference-file").click();
  // The server may no longer keep the photo or what it made of it, so all of it is done again.
  else if (action === "retry" && (failed || now.photo?.file)) open(failed || now.photo.file);
  else {
    now.job++;
    for (const name of chosen()) delete now.phones[name]?.result;
    run();
  }
});
find(".dg-forget").addEventListener("click", () => {
  now.dslr = null;
  now.maps = {};
  setView("divider");
  caption("The DSLR photo is removed.");
});

for (const [selector, opened] of [[".dg-file", open], [".dg-capture", open], [".dg-reference-file", openReference]])
  find(selector).addEventListener("change", (event) => {
    opened(event.target.files[0]);
    event.target.value = ""; // so that the same file can be chosen again
  });

const isVisible = () => root.offsetParent !== null;
takeDropped(root, (files, place) => {
  const isReference = place.closest?.(".dg-reference") && !find(".dg-reference-file").disabled;
  (isReference ? openReference : open)(files[0], files.length - 1);
});

document.addEventListener("keydown", (event) => {
  const isElsewhere = !root.contains(document.activeElement) && document.activeElement !== document.body;
  if (!isVisible() || isElsewhere || dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.activeElement.matches("input:not([type=range]):not([type=radio]):not([type=file])")) return;
  const views = all(".dg-views input");
  const chosenView = views[Number(event.key) - 1];
  const pane = find(".dg-pane")?.getBoundingClientRect();
  if (chosenView && !chosenView.disabled) setView(chosenView.value);
  else if (event.key.toLowerCase() === "o" && !event.repeat) compare.hold(true);
  else if (pane && ["+", "=", "-", "0", "Escape"].includes(event.key)) {
    const steps = [0, 1, 2];
    const index = Math.max(0, steps.indexOf(compare.at.zoom));
    const next = ["0", "Escape"].includes(event.key) ? 0 : steps[Math.min(2, Math.max(0, index + (event.key === "-" ? -1 : 1)))];
    compare.zoom(next, pane.left + pane.width / 2, pane.top + pane.height / 2);
  } else if (document.activeElement === stage && compare.at.zoom) {
    const by = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (!by) return;
    compare.pan(...by);
  } else return;
  event.preventDefault();
});
document.addEventListener("keyup", (event) => event.key.toLowerCase() === "o" && compare.hold(false));

// ---- Examples and the first sight

for (const example of settings.examples) {
  const button = document.createElement("button");
  button.type = "button";
  button.innerHTML = `<img alt="Example: ${example.title}" src="${example.thumbnail}">`;
  button.addEventListener("click", () => {
    begin({ name: example.title, example: example.name });
    forgetResults();
    now.original = example.thumbnail; // until the server's is there
    now.size = example.size;
    run();
    root.scrollIntoView({ block: "start" }); // the picture is above the examples
  });
  find(".dg-thumbnails").append(button);
}

function firstSight() {
  const asked = new URLSearchParams(location.search);
  if ([...settings.phones.map((one) => one.name), "both"].includes(asked.get("phone"))) {
    now.choice = asked.get("phone");
    now.isChosen = true;
  }
  const wanted = asked.get("strength");
  if (wanted !== null && wanted !== "" && Number(wanted) >= 0 && Number(wanted) <= 100) now.strength = Number(wanted) / 100;
  const first = settings.first;
  if (!first) return caption("Open a photo, or take one of the examples.");
  now.photo = { name: first.name, example: first.example };
  now.size = first.size;
  now.original = settings.examples.find((one) => one.name === first.example).thumbnail; // until it is there
  swap(first.before, (url) => (now.original = url), now.job).then(() => now.job || render());
  for (const [name, found] of Object.entries(first.phones))
    now.phones[name] = { ...found, after: fileUrl(found.after), result: null };
  caption(`An example (${first.title}): drag the divider. Your own photo is enhanced as soon as you open it.`);
  swing();
}

/** The divider of the example moves by itself until somebody does something. */
function swing() {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const began = performance.now();
  let isOver = false;
  for (const kind of ["pointerdown", "keydown", "focusin", "wheel", "touchstart"])
    root.addEventListener(kind, () => (isOver = true), { once: true, passive: true });
  const step = (time) => {
    const seconds = (time - began) / 1000;
    if (isOver || now.job || seconds > 8) return;
    compare.at.split = 0.5 - 0.32 * Math.sin((seconds / 8) * 2 * Math.PI);
    compare.draw();
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

// ---- Camera

const dialog = find(".dg-camera-dialog");
const video = dialog.querySelector("video");
const endCamera = () => {
  for (const track of video.srcObject?.getTracks() || []) track.stop();
  video.srcObject = null;
};
dialog.addEventListener("close", endCamera);
dialog.querySelector(".dg-close").addEventListener("click", () => dialog.close());
find(".dg-camera").addEventListener("click", async () => {
  // A phone's own camera takes the better photo: all its pixels, and EXIF.
  if (matchMedia("(pointer: coarse)").matches) return find(".dg-capture").click();
  dialog.showModal();
  const words = dialog.querySelector(".dg-camera-words");
  words.textContent = "Waiting for the camera …";
  try {
    const wish = { facingMode: "environment", width: { ideal: 4096 }, height: { ideal: 3072 } };
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: wish });
    await video.play();
    words.textContent = "";
  } catch {
    words.textContent = "There is no camera here, or the browser does not allow it. Open a photo instead.";
  }
});
dialog.querySelector(".dg-shoot").addEventListener("click", () => {
  if (!video.srcObject || !video.videoWidth) return;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => open(new File([blob], "camera.jpg", { type: "image/jpeg" })), "image/jpeg", 0.97);
  dialog.close();
});

// Each answer says all that is known so far: while one is being shown, only the latest is kept.
let latest = null;
let isTaking = false;
watch("value", async () => {
  latest = props.value;
  while (latest && !isTaking) {
    const answer = latest;
    latest = null;
    if (answer.job !== now.job) continue;
    isTaking = true;
    try {
      await { enhance: enhanced, compare: compared }[answer.kind](answer);
    } finally {
      isTaking = false;
    }
  }
});
document.addEventListener("dg-failed", () => {
  if (now.busy) fail(NO_ANSWER, "retry");
});

/** How long somebody would wait is said before anything is sent. */
async function sayTheLine() {
  if (document.hidden || now.busy || !isVisible()) return;
  const state = await ask("line", {}).catch(() => ({}));
  const people = state.waiting + (state.running ? 1 : 0);
  find(".dg-line-length").textContent = state.waiting
    ? `${people === 1 ? "1 person is" : `${people} people are`} before you, about ${Math.ceil(state.seconds)} s`
    : "";
}
setInterval(sayTheLine, 30000);
document.addEventListener("visibilitychange", sayTheLine);
sayTheLine();

firstSight();
if (now.photo) run(); // a link may ask for another phone than the example is there with
