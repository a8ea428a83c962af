// The tables and pictures of docs/scaling.md are those of the recorded results.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { chartSvg } from "../../../../infra/cost/chart.ts";
import { generatedFiles, withTables } from "../../../../infra/cost/document.ts";

const root = new URL("../../../../", import.meta.url);

test.each(generatedFiles())("$path is what `npm run cost -- --document` writes", ({ path, content }) => {
  expect(readFileSync(new URL(path, root), "utf8")).toBe(content);
});

test("a table replaces what is between its comments, and nothing else", () => {
  const page = "# A\n\n<!-- t: npm run cost -- --document -->\n\nold\n\n<!-- end of t -->\n\nB\n";
  expect(withTables(page, { t: "| new |" })).toBe(page.replace("old", "| new |"));
  expect(() => withTables("# A\n", { t: "" })).toThrow('lacks the comments "<!-- t:');
});

test("values outside of an axis are drawn at its ends, and text is escaped", () => {
  const svg = chartSvg({
    title: 'a < "b" & c',
    x: { label: "x", ticks: [1, 10] },
    y: { label: "y", ticks: [1, 10] },
    series: [
      {
        label: "s",
        color: 1,
        isEarlier: false,
        points: [
          { x: 1, y: 0 },
          { x: 100, y: 100 },
        ],
      },
    ],
  });
  expect(svg).toContain('aria-label="a &lt; &quot;b&quot; &amp; c"');
  expect(svg).toContain('points="104,362 514,62"');
});
