import { element } from "./chat.js";

const KEY = "zupa-phone-people";
const FIRST = [
  { name: "Ana", number: "5511999990001" },
  { name: "Bruno", number: "5511999990002" },
];
const COLOURS = 6;

/** Who the customer can be: kept in this browser, the last used remembered. */
export class People {
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.all = load();
    this.current = this.all[0];
    document.getElementById("person-form").addEventListener("submit", (event) => this.submit(event));
  }

  submit(event) {
    event.preventDefault();
    const form = event.target;
    this.choose({ name: form.elements.name.value.trim(), number: form.elements.number.value.trim() });
    form.reset();
    document.getElementById("new-person").open = false;
  }

  /** Makes this person the customer; a number met before is renamed, a new one added. */
  choose({ name, number }) {
    if (!number) return;
    const known = this.all.find((person) => person.number === number);
    if (known) known.name = name || known.name;
    else this.all.push({ name: name || number, number });
    this.current = known ?? this.all.at(-1);
    save(this.all);
    this.draw();
    this.onChoose();
  }

  draw() {
    document.getElementById("people").replaceChildren(...this.all.map((person) => this.item(person)));
  }

  item(person) {
    const item = element("li");
    const button = element("button", "person");
    button.type = "button";
    button.dataset.testid = "person";
    button.setAttribute("aria-pressed", String(person === this.current));
    const words = element("span", "person-words");
    words.append(element("strong", "", person.name), element("span", "quiet", person.number));
    button.append(avatar(element("span", "avatar"), person.name), words);
    button.addEventListener("click", () => this.choose(person));
    item.append(button);
    return item;
  }
}

export function avatar(badge, name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  badge.textContent = words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");
  badge.dataset.colour = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 997, 7) % COLOURS;
  badge.setAttribute("aria-hidden", "true");
  return badge;
}

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(kept) && kept.every((each) => each?.name && each?.number) && kept.length ? kept : [...FIRST];
  } catch {
    return [...FIRST];
  }
}

function save(people) {
  try {
    localStorage.setItem(KEY, JSON.stringify(people));
  } catch {
    // A browser without storage forgets the people added; the rest works.
  }
}
