import { t } from "./texts.js";

const byId = (id) => document.getElementById(id);

/** The owner's phone: answers the customer by hand, on channels whose platform tells of it. */
export class HandReply {
  constructor({ onSent }) {
    this.onSent = onSent;
    byId("hand-form").addEventListener("submit", (event) => this.submit(event));
  }

  /** For whom it writes; hidden where the channel knows no replies by hand. */
  open(channel, number) {
    this.channel = channel.slug;
    this.number = number;
    byId("hand").hidden = channel.kind !== "waha";
    this.complain("");
  }

  async submit(event) {
    event.preventDefault();
    const field = byId("hand-text");
    const text = field.value.trim();
    if (!text) return;
    if (await this.send(text)) {
      field.value = "";
      this.onSent();
    }
  }

  /** Whether Zupa was told. */
  async send(text) {
    const body = JSON.stringify({ channel: this.channel, to: this.number, text });
    try {
      const { status } = await (await fetch("/_sim/hand-reply", { method: "POST", body })).json();
      this.complain(status === 200 ? "" : t("refused", { reason: status ? `HTTP ${status}` : t("unreachable") }));
      return status === 200;
    } catch {
      this.complain(t("noSimulator"));
      return false;
    }
  }

  complain(text) {
    byId("hand-error").textContent = text;
    byId("hand-error").hidden = !text;
  }
}
