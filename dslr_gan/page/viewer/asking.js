// What the photo tab asks of the server, and what it does with the answers. Goes on from viewer.js.

/** Begin with another photo. What is shown stays until the new one can be, or if it cannot. */
function begin(photo) {
  if (!before) before = Object.fromEntries(ofThePhoto.map((name) => [name, now[name]]));
  now.photo = photo;
  now.local = null;
  now.phones = {};
  return ++now.job;
}

const ofThePhoto = ["photo", "size", "original", "local", "phones", "dslr", "maps", "layers", "tables"];
let before = null; // all that belongs to the photo that was there, until the server takes the new one
let failed = null; // the file that could not be sent
const locals = new Set(); // URLs of the person's own files

function forgetLocals() {
  for (const url of locals)
    if (url !== now.original) {
      URL.revokeObjectURL(url);
      locals.delete(url);
    }
}

/** Enhance a photo at once; of several files the first one. */
async function open(file, others = 0) {
  if (!file) return;
  const job = begin({ name: file.name || "photo.jpg", upload: null, file, others });
  now.busy = true;
  caption(`Sending ${now.photo.name} …`, { kind: "working" });
  render();
  failed = null;
  const local = URL.createObjectURL(file);
  locals.add(local);
  const probe = new Image();
  probe.src = local;
  // What the browser can show stands as soon as it has decoded it; the server shows the others.
  probe.decode().then(
    () => {
      if (job !== now.job || now.photo?.file !== file) return; // another one, or it was refused
      forgetResults();
      now.original = local;
      now.size = { width: probe.naturalWidth, height: probe.naturalHeight };
      // Other kinds may move, or be shown otherwise than they are read.
      if (["image/jpeg", "image/png"].includes(file.type)) now.local = now.size;
      render();
    },
    () => {},
  );
  try {
    const upload_ = await upload(file);
    if (job !== now.job) return;
    now.photo.upload = { path: upload_.path, meta: { _type: "gradio.FileData" } };
    run();
  } catch {
    if (job !== now.job) return;
    const isLarge = file.size > settings.max_bytes;
    fail(
      isLarge ? tooLarge(file, settings.max_bytes) : `${now.photo.name} did not arrive: the connection broke off.`,
      isLarge ? "open" : "retry",
    );
    failed = file;
  }
}

function forgetResults() {
  now.dslr = null;
  now.maps = {};
  now.layers = {};
  now.tables = {};
  compare.at.zoom = 0;
  compare.at.split = 0.5; // the example's may have been left near an edge
  if (now.view !== "side") now.view = "divider";
  showZoom();
}

/** Enhance the photo with the chosen phones; those that are there already stay. */
function run(isOwn = false) {
  const isThere = (name) => (isOwn ? now.phones[name]?.result : now.phones[name]?.result !== undefined);
  const missing = chosen().filter((name) => !isThere(name));
  if (!now.photo || !missing.length) return render();
  now.busy = true;
  caption("Looking at the photo …", { kind: "working", canStop: true });
  render();
  trigger("enhance", {
    job: now.job,
    photo: now.photo.upload,
    example: now.photo.example ?? null,
    phones: missing,
    by_exif: !now.isChosen && now.choice !== "both" && !Object.keys(now.phones).length,
  });
}

function fail(message, advice = "open") {
  now.busy = false;
  if (before) Object.assign(now, before);
  before = null;
  forgetLocals();
  caption(message, { kind: "error", advice });
  render();
}

/** One answer of an enhancement: all that is known so far. */
async function enhanced(answer) {
  now.session = answer.session;
  if (answer.says_phone && !now.isChosen) now.choice = answer.phone;
  if (answer.size && answer.before) {
    if (before && before.original === now.original) forgetResults(); // the browser could not show it
    before = null;
    now.size = answer.size;
    const isSame = now.local && now.local.width === answer.size.width && now.local.height === answer.size.height;
    if (!isSame) await swap(answer.before, (url) => (now.original = url), answer.job);
    forgetLocals();
  }
  for (const [name, found] of Object.entries(answer.phones)) {
    if (answer.job !== now.job) return;
    if (now.phones[name]?.after === fileUrl(found.after)) continue;
    await swap(found.after, (url) => (now.phones[name] = { ...found, after: url }), answer.job);
  }
  if (answer.job !== now.job) return;
  if (answer.state === "error") return fail(answer.message, answer.advice);
  now.busy = answer.state !== "done";
  if (now.busy) caption(answer.says, { kind: "working", progress: answer.share, canStop: true });
  else caption(now.photo.others ? `${answer.says} The tab Many photos takes several at once.` : answer.says);
  render();
  if (now.busy) return;
  followAmounts();
  if (now.dslr) measureReference(now.dslr.reference);
}

/** Take a picture only once it is there: until then the old one stays. */
async function swap(path, take, job) {
  const url = fileUrl(path);
  if (!url) return;
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {});
  if (job === now.job) take(url);
}

async function ask(what, details) {
  const answer = await server[what]({ session: now.session, ...details }).catch(() => null);
  if (!answer) throw new Error(NO_ANSWER);
  if (answer.error) throw new Error(answer.error);
  return answer;
}

/** Results of the example at first sight belong to nobody; make them this person's own. */
async function own(name) {
  if (now.phones[name].result) return now.phones[name].result;
  run(true);
  await until(() => !now.busy);
  if (!now.phones[name].result) throw new Error("Enhance the photo first.");
  return now.phones[name].result;
}

const until = (isSo) =>
  new Promise((done) => {
    const timer = setInterval(() => isSo() && (clearInterval(timer), done()), 50);
  });

const amounts = () => ({ strength: now.strength, colour: now.colour, detail: now.detail });

async function save(what, words) {
  const job = now.job;
  try {
    for (const name of finished()) {
      caption(words, { kind: "working" });
      const token = await own(name);
      const answer = await ask(what, { token, ...amounts() });
      const link = document.createElement("a");
      link.href = fileUrl(answer.file);
      link.download = answer.name;
      link.click();
      if (job === now.job) caption(`${answer.name} (${megabytes(answer.bytes)}) is in your downloads.`);
    }
  } catch (error) {
    caption(error.message, { kind: "error", advice: "retry" });
  }
}

const mapKey = (name) => `${name} ${evenStrength()} ${now.dslr ? "reference" : "input"}`;

const drawMaps = oneAtATime(async () => {
  const { job } = now;
  for (const name of finished()) {
    const key = mapKey(name);
    if (now.maps[key]) continue;
    try {
      const token = await own(name);
      now.maps[key] = { url: null };
      const against = now.dslr ? "reference" : "input";
      const answer = await ask("similarity_map", { token, strength: evenStrength(), against });
      if (job !== now.job) return;
      // The file is the same for all strengths: the address must not be.
      for (const old of Object.keys(now.maps)) if (old.startsWith(`${name} `)) delete now.maps[old];
      now.maps[key] = { url: `${fileUrl(answer.file)}?${encodeURIComponent(key)}` };
    } catch (error) {
      delete now.maps[key];
      caption(error.message, { kind: "error", advice: "retry" });
      return setView("divider");
    }
  }
  render();
});

/** Work that is asked for again while it goes on is done once more after it, and not ten times. */
function oneAtATime(work) {
  let isRunning = false;
  let isWanted = false;
  return async () => {
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    try {
      while (isWanted) {
        isWanted = false;
        await work();
      }
    } finally {
      isRunning = false;
    }
  };
}

/** Whether what is asked for now is still wanted when the answer comes. */
function stillWanted() {
  const { job, colour, detail } = now;
  return () => job === now.job && colour === now.colour && detail === now.detail;
}

/** Bring picture and numbers of results that are new to the amounts of colour and detail. */
function followAmounts() {
  if (now.colour !== now.detail) fetchLayers();
  if (now.colour < 1 || now.detail < 1) measureAgain();
  if (compare.at.zoom >= 1) fetchExact();
}

const measureAgain = oneAtATime(async () => {
  find(".dg-numbers").setAttribute("aria-busy", "true");
  try {
    await measureAmounts();
  } finally {
    find(".dg-numbers").setAttribute("aria-busy", "false");
  }
});

async function measureAmounts() {
  if (now.view === "map") drawMaps();
  const isWanted = stillWanted();
  if (now.colour === now.detail) {
    // Equal amounts are less strength: the first table says it all.
    for (const name of finished()) {
      const table = now.phones[name].scores;
      now.tables[name] = table && scaled(table, now.colour);
    }
    return render();
  }
  for (const name of finished()) {
    try {
      const token = await own(name);
      const table = await ask("change_scores", { token, colour: now.colour, detail: now.detail });
      if (!isWanted()) return; // a later answer may come first
      now.tables[name] = table;
    } catch (error) {
      caption(error.message, { kind: "error", advice: "retry" });
    }
  }
  render();
}

function scaled(table, by) {
  const at = (values) => values && table.strengths.map((s) => valueAt(values, table.strengths, s * by));
  return { strengths: table.strengths, ssim: at(table.ssim), ms_ssim: at(table.ms_ssim) };
}

const fetchLayers = oneAtATime(async () => {
  const { job } = now;
  for (const name of finished()) {
    if (now.layers[name]) continue;
    try {
      const found = await ask("layers", { token: await own(name) });
      if (job !== now.job) return;
      now.layers[name] = { colour: fileUrl(found.colour), detail: fileUrl(found.detail) };
    } catch (error) {
      caption(error.message, { kind: "error", advice: "retry" });
    }
  }
  render();
});

/** From 100 % on the pixels are those of the result itself; until they are here, those of a JPEG. */
async function fetchExact() {
  const { job } = now;
  for (const name of finished()) {
    const one = now.phones[name];
    // Of what is shown scaled down no pixel is the result's; the caption says that it is.
    const isScaled = one.shown && one.shown[0] !== one.width;
    if (!one.result || one.isExact || isScaled || now.busy) continue;
    one.isExact = true;
    try {
      const photo_too = !now.local && !now.original.includes("/exact_");
      const found = await ask("exact", { token: one.result, photo_too });
      await swap(found.after, (url) => (one.after = url), job);
      if (found.before) await swap(found.before, (url) => (now.original = url), job);
    } catch {
      one.isExact = false; // the JPEG stays
    }
    if (job === now.job) render();
  }
}

async function openReference(file) {
  if (!file) return;
  const job = now.job;
  caption(`Sending ${file.name} …`, { kind: "working" });
  try {
    const sent = await upload(file);
    if (job !== now.job) return;
    measureReference({ path: sent.path, name: file.name, meta: { _type: "gradio.FileData" } });
  } catch {
    const isLarge = file.size > settings.max_bytes;
    fail(isLarge ? tooLarge(file, settings.max_bytes) : `${file.name} did not arrive: the connection broke off.`, "reference");
  }
}

/** Measure results against a DSLR photo: a new one, or the one that is there. */
async function measureReference(reference) {
  const isNew = reference !== now.dslr?.reference;
  const names = finished().filter((name) => isNew || !now.dslr.enhanced[name]);
  if (!names.length) return;
  const job = now.job;
  try {
    const tokens = {};
    for (const name of names) tokens[name] = await own(name);
    if (job !== now.job) return;
    now.busy = true;
    asked = reference;
    render();
    trigger("compare", { job, tokens, reference });
  } catch (error) {
    fail(error.message, "reference");
  }
}

let asked = null; // the DSLR photo that is being aligned

function compared(answer) {
  if (answer.state === "error") return fail(answer.message, "reference");
  now.busy = answer.state !== "done";
  if (now.busy) {
    caption(answer.says, { kind: "working", progress: answer.share, canStop: true });
    return;
  }
  const { width, height } = now.size;
  const isNew = now.dslr?.reference !== asked;
  now.dslr = {
    ...answer.found,
    reference: asked,
    enhanced: { ...(isNew ? {} : now.dslr.enhanced), ...answer.found.enhanced },
    picture: fileUrl(answer.found.picture),
    polygon: answer.found.polygon.map(([x, y]) => [x * width, y * height]),
  };
  now.maps = {};
  if (isNew) now.view = "dslr";
  caption("Aligned. The outline shows what both photos show; the table compares over it.");
  setView(now.view);
}
