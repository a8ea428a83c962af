import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  builtInImages,
  familiarName,
  findImage,
  noSuchImageText,
  readImages,
  readSignal,
} from "../../../src/agent/runtimes/images.ts";

let dir: string;
const environment = { taskDir: "/t", nodeName: "node1", host: "127.0.0.1", ports: [] };

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "waggle-images-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

test.each([
  ["nginx", "nginx"],
  ["nginx:latest", "nginx"],
  ["nginx:1.27@sha256:abc", "nginx"],
  ["docker.io/library/nginx", "nginx"],
  ["index.docker.io/library/nginx:alpine", "nginx"],
  ["waggle/whoami:latest", "waggle/whoami"],
  ["localhost:5000/nginx", "localhost:5000/nginx"],
  ["registry.example.com:5000/my/app:2", "registry.example.com:5000/my/app"],
])("[N18] the reference %s names the image %s", (reference, name) => {
  expect(familiarName(reference)).toBe(name);
});

test("[N12] the error for an unknown image lists the known ones and shortens a long reference", () => {
  const table = builtInImages("/nonexistent");
  expect(findImage(table, "localhost:5000/nginx")).toBeNull();
  expect(noSuchImageText(table, "x".repeat(10_000)).length).toBeLessThan(400);
  expect(noSuchImageText(table, "foo:latest")).toMatch(
    /^No such image: foo:latest \(this node runs processes; it knows waggle\/whoami/,
  );
});

test("[N13] an images file is read; folders are relative to the file", () => {
  const file = write({
    "docker.io/my/app:latest": { command: ["node", "a.js"], dir: "app", probe: "http:/healthz" },
  });
  const image = findImage(readImages(file), "my/app");
  expect(image).toMatchObject({
    entrypoint: ["node", "a.js"],
    dir: join(dir, "app"),
    probe: { kind: "http", path: "/healthz" },
    stopSignal: "SIGTERM",
  });
  expect(image?.cmd(environment)).toEqual([]);
  expect(findImage(readImages(write({ x: { command: ["x"] } })), "x")).toMatchObject({
    dir,
    probe: { kind: "tcp" },
  });
});

test.each([
  ["a program as one word", { a: { command: "node" } }, /a > command: /],
  ["no program", { a: { command: [] } }, /a > command: /],
  ["an unknown key", { a: { command: ["x"], port: 80 } }, /a: .*port/],
  [
    "a variable without a value",
    { a: { command: ["x"], env: ["A"] } },
    /a > env > 0: write it as "KEY=value"/,
  ],
  [
    "another probe",
    { a: { command: ["x"], probe: "https:/" } },
    /a > probe: write it as "tcp" or "http:\/path"/,
  ],
  ["another signal", { a: { command: ["x"], stopSignal: "SIGNONE" } }, /a > stopSignal: no such signal/],
  ["a list", [], /the file: /],
])("[N5] an images file with %s is refused with the entry and what would work", (_what, content, message) => {
  const file = write(content);
  expect(() => readImages(file)).toThrow(message);
  expect(() => readImages(file)).toThrow(`cannot read the images file ${file}: `);
});

test("[N5] an images file that does not exist or is not JSON is refused with its path", () => {
  expect(() => readImages(join(dir, "none.json"))).toThrow(/none\.json: there is no such file/);
  const file = join(dir, "bad.json");
  writeFileSync(file, "{");
  expect(() => readImages(file)).toThrow(/bad\.json: .*JSON.*an entry is/);
});

test.each([
  ["SIGTERM", "SIGTERM"],
  ["term", "SIGTERM"],
  ["15", "SIGTERM"],
  ["SIGQUIT", "SIGQUIT"],
  ["SIGNONE", null],
  ["0", null],
  ["999", null],
])("[N16] the signal %s is read as %s", (text, signal) => {
  expect(readSignal(text)).toBe(signal);
});

function write(content: unknown): string {
  const file = join(dir, "images.json");
  writeFileSync(file, JSON.stringify(content));
  return file;
}
