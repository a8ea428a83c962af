// The contrast of the colors of the style sheet, computed by WCAG 2.2 (1.4.3, 1.4.11), in both themes.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("../../../src/dashboard/client/style/base.css", import.meta.url), "utf8");
const [light = "", dark = ""] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, block]) => block ?? "");

type Theme = ReadonlyMap<string, string>;

function colorsOf(block: string): Theme {
  return new Map(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name = "", color = ""]) => [name, color]),
  );
}

/** @see https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(theme: Theme, a: string, b: string): number {
  const [one, two] = [a, b].map((name) => luminance(theme.get(name) ?? ""));
  const [darker = 0, lighter = 0] = [one ?? 0, two ?? 0].sort((x, y) => x - y);
  return (lighter + 0.05) / (darker + 0.05);
}

const grounds = ["ground", "surface", "sunken"];
/** Text on each ground on which it occurs. */
const texts: readonly (readonly [text: string, grounds: readonly string[]])[] = [
  ["text", [...grounds, "ok-ground", "info-ground", "warn-ground", "bad-ground"]],
  ["muted", [...grounds, "ok-ground", "warn-ground", "bad-ground"]],
  ["link", [...grounds, "info-ground"]],
  ["bad", ["surface", "ground"]],
  ["warn", ["surface", "ground"]],
  // Text of the primary and of the destructive button.
  ["surface", ["link", "bad"]],
];
/** Glyphs, lines of charts, borders of fields. */
const shapes = ["ok", "info", "warn", "bad", "idle", "accent", "line-strong"];

test.each([
  ["light", light],
  ["dark", dark],
])("[G89] in the %s theme text has a contrast of 4.5, shapes and borders of 3", (_name, block) => {
  const theme = colorsOf(block);
  expect(theme.size).toBeGreaterThan(15);
  const low = [
    ...texts.flatMap(([text, on]) =>
      on.filter((ground) => contrast(theme, text, ground) < 4.5).map((ground) => `${text} on ${ground}`),
    ),
    ...shapes.filter((shape) => contrast(theme, shape, "surface") < 3),
  ];
  expect(low).toEqual([]);
});
