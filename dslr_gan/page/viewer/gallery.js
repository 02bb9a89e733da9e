// The results of many photos: what is done, what failed and why, and each before and after.

const root = element.querySelector(".dg");
const find = (selector) => root.querySelector(selector);
const files = filesAt();
const fileUrl = (path) => `${files}${path.split("/").map(encodeURIComponent).join("/")}`;
const box = find(".dg-lightbox");
const compare = makeCompare(box.querySelector(".dg-stage"), () => {});
let items = [];
let open = 0;

function show(answer) {
  const isWorking = !["done", "error"].includes(answer.state);
  find(".dg-caption").dataset.kind = answer.state === "error" ? "error" : isWorking ? "working" : "info";
  find(".dg-words").textContent = answer.message || answer.says;
  find(".dg-progress").hidden = !isWorking || answer.share == null;
  find(".dg-progress").value = answer.share ?? 0;
  find(".dg-stop").hidden = !isWorking;
  find(".dg-zip").hidden = !answer.zip;
  if (answer.zip) {
    find(".dg-zip").href = fileUrl(answer.zip);
    find(".dg-zip").download = answer.zip.split("/").at(-1);
  }
  const others = answer.items.filter((item) => !item.after);
  find(".dg-failed").hidden = !others.length;
  find(".dg-failed").replaceChildren(
    ...others.map((item) => {
      const line = document.createElement("li");
      const file = item.name.split("/").at(-1); // the reason may name it, without its folder
      line.textContent = item.reason.includes(file) ? item.reason.replace(file, item.name) : `${item.name}: ${item.reason}`;
      return line;
    }),
  );
  items = answer.items.filter((item) => item.after);
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
}

function look(index) {
  open = (index + items.length) % items.length;
  const item = items[open];
  if (!box.open) box.showModal();
  find(".dg-lightbox-words").textContent = [item.name, ...(item.notes || [])].join(" · ");
  const pane = { original: fileUrl(item.before), enhanced: fileUrl(item.after), left: "Before", right: "After", cut: "enhanced" };
  compare.at.zoom = 0;
  compare.show([pane], { width: item.width, height: item.height }, null);
}

find(".dg-previous").addEventListener("click", () => look(open - 1));
find(".dg-next").addEventListener("click", () => look(open + 1));
find(".dg-close").addEventListener("click", () => box.close());
find(".dg-stop").addEventListener("click", () => trigger("stop", {}));
watch("value", () => props.value && show(props.value));
