import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-import-"));

/** The path of a file with this content. */
function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const shop = fileOf(
  "shop.cfg",
  [
    "defaults",
    " mode http",
    " timeout http-request 10s",
    "frontend www",
    " bind :80",
    " use_backend static if { path_end .css }",
    " use_backend inside if { src 10.0.0.0/8 }",
    " default_backend shop",
    "backend shop",
    " server a 192.0.2.1:80",
    "backend static",
    " server a 192.0.2.2:80",
    "backend inside",
    " server a 192.0.2.3:80",
    "listen redis",
    " mode tcp",
    " bind :6379",
    " server a 192.0.2.4:6379",
    "",
  ].join("\n"),
);

test("[U582] the report of an import has the rules whose requests go to another backend", async () => {
  const { out } = await runCli(["import", "--dry-run", shop]);
  expect(out).toMatch(
    /\nlost routes: .*\n {2}\S+shop\.cfg:6 {2}frontend www: use_backend static if \{ path_end \.css \}\n\n/,
  );
  expect(out).toMatch(
    /lost protection: .*\n(?: .*\n)* {2}\S+shop\.cfg:7 {2}frontend www: use_backend inside if/,
  );
  const json = JSON.parse((await runCli(["import", "-n", "--json", shop])).out);
  expect(json.lostRoutes).toEqual([
    {
      line: 6,
      section: "frontend www",
      text: expect.stringContaining("use_backend static"),
      backend: "static",
    },
  ]);
});

test("[U582] a protecting line of defaults is named once, and not for a mode that ignores it", async () => {
  const { out } = await runCli(["import", "--dry-run", shop]);
  const lines = out.split("\n").filter((line) => line.includes("ends requests that arrive slowly"));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/shop\.cfg:3 {2}timeout http-request 10s .*; of shop, static, inside\)$/);
});

test("[U582] the report names the services that get a port of their own", async () => {
  const { out } = await runCli(["import", "--dry-run", shop]);
  expect(out).toContain("own ports: static, inside also get a port each, from 30000 to 32767\n");
});

test("[U583] a file that is no configuration gets twenty errors of bounded length", async () => {
  const long = `${"x".repeat(5_000)}\n`;
  const { code, err } = await runCli([
    "import",
    fileOf("notes.txt", `${long}${"name: value\n".repeat(300)}`),
  ]);
  expect(code).toBe(1);
  const lines = err.trimEnd().split("\n");
  expect(lines).toHaveLength(22);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(600);
  expect(lines.slice(-2)).toEqual([
    "and 281 more; --json has all",
    expect.stringMatching(/cannot parse 301 lines of .*notes\.txt: nothing was changed$/),
  ]);
});

test("[U583] an import that is refused is no dry run", async () => {
  const { code, out, err } = await runCli(["import", fileOf("empty.cfg", "")]);
  expect(code).toBe(1);
  expect(out).toMatch(/\nnothing was changed\n$/);
  expect(out).not.toContain("dry run");
  expect(err).toMatch(/no services to import/);
});

test.each([
  [["import", join(folder, "nosuch.cfg")], "there is no such file"],
  [["import", folder], "it is a folder"],
  [["import", join(shop, "x")], "a part of its path is a file"],
  [["status", "--token-file", join(folder, "nosuch")], "there is no such file"],
  [["status", "--token-file", folder], "it is a folder"],
  [["backup", "--inspect", folder], "it is a folder"],
  [["doctor", "deploy", "--config", folder], "it is a folder"],
])("[U584] waggle %j says in words why the file cannot be read", async (args, reason) => {
  const { code, out, err } = await runCli(args);
  expect(code).not.toBe(0);
  expect(`${out}${err}`).toContain(`: ${reason}`);
  expect(`${out}${err}`).not.toMatch(/E[A-Z]{4,}/);
});
