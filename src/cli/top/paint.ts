// Terminal colors; each repeats the meaning of a word on the screen.

import type { Tone } from "./rows.ts";

type Paint = Tone | "strong" | "heading";

/** Applies a color to a text, or returns it unchanged. */
export type Painter = (paint: Paint, text: string) => string;

export const plainPainter: Painter = (_paint, text) => text;

/** SGR codes (ECMA-48 §8.3.117). Only the sixteen basic colors, so that the terminal's theme applies. */
const sgrCodes: Readonly<Record<Paint, string>> = {
  ok: "",
  warn: "33",
  bad: "31",
  idle: "2",
  strong: "1",
  heading: "7",
};

export const colorPainter: Painter = (paint, text) => {
  const code = sgrCodes[paint];
  return code === "" ? text : `\x1b[${code}m${text}\x1b[0m`;
};
