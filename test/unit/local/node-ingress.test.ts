import { expect, test } from "vitest";
import { nodeIngress } from "../../../src/local/node-ingress.ts";

const options = {
  listen: null,
  defaultPort: null,
  tls: null,
  sockets: null,
  drainMs: 0,
  reloadMs: 0,
  reload: null,
  variables: {},
};
const isAccepted = (url: string, insecure = false): boolean => {
  try {
    nodeIngress(url, { ...options, insecure });
    return true;
  } catch (error) {
    expect(String(error)).toMatch(/plain HTTP.*use https:\/\/, or accept that with --insecure/);
    return false;
  }
};

test.each([
  ["https://mesh.example.com", true],
  ["http://127.0.0.1:8787", true],
  ["http://127.9.9.9:8787", true],
  ["http://localhost:8787", true],
  ["http://[::1]:8787", true],
  ["http://mesh.example.com", false],
  ["http://10.0.0.1:8787", false],
  ["http://0.0.0.0:8787", false],
  ["http://[fe80::1]:8787", false],
  ["http://127.0.0.1.example.com", false],
])("[O139] the keys of the mesh are fetched from %s: %s", (url, expected) => {
  expect(isAccepted(url)).toBe(expected);
});

test("[O139] --insecure accepts plain HTTP to another machine", () => {
  expect(isAccepted("http://10.0.0.1:8787", true)).toBe(true);
});
