// Colours of the terminal, as few as say something; a word always says it too.

import type { Tone } from "./rows.ts";

export type Paint = Tone | "strong" | "heading";

/** Text in a colour, or as it is. */
export type Painter = (paint: Paint, text: string) => string;

export const plainPainter: Painter = (_paint, text) => text;

/** SGR codes (ECMA-48 §8.3.117): the terminal's own sixteen colours, so that its theme holds. */
const sgrCodes: Readonly<Record<Paint, string>> = {
  ok: "",
  warn: "33",
  bad: "31",
  idle: "2",
  strong: "1",
  heading: "7",
};

export const colourPainter: Painter = (paint, text) => {
  const code = sgrCodes[paint];
  return code === "" ? text : `\x1b[${code}m${text}\x1b[0m`;
};
