// `npm run screenshots`: the README's pictures, taken of a real mesh with real traffic; one of them unwell, because a
// node's agent hangs and a task was killed.

import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Browser, launchBrowser, type Page } from "../support/browser.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const folder = fileURLToPath(new URL("../../docs/images/", import.meta.url));

/** A README is read over slow lines, too. Bytes. */
const maxBytes = 150_000;

/** Long enough that the charts have a shape to show; `--minutes N` says otherwise. */
const flag = process.argv.indexOf("--minutes");
const minutes = flag === -1 ? 3 : Number(process.argv[flag + 1]);

const size = { width: 1_280, height: 820 };

mkdirSync(folder, { recursive: true });
const [browser, mesh] = await Promise.all([launchBrowser(), MeshProcess.start(["--empty"])]);
try {
  const ports = { "my-web": await freePort(), api: await freePort(), media: await freePort() };
  await create("my-web", ports["my-web"], 3);
  await create("api", ports.api, 4);
  await create("media", ports.media, 2);
  const stop = traffic(ports);
  console.log(`traffic for ${minutes} min`);
  await wait(minutes * 60_000);
  await take("overview", "", "dark", (page) => page.getByText("All is well").waitFor());
  await take("service", "services/api", "light", (page) => page.locator("#chart-heat canvas").waitFor());
  await breakThings();
  await take("unwell", "", "dark", (page) => page.getByText("node3").first().waitFor());
  stop();
  process.kill(mesh.agentPid("node3"), "SIGCONT");
} finally {
  await browser.close();
  await mesh.remove();
}

async function create(name: string, port: number, replicas: number): Promise<void> {
  const flags = ["--name", name, "-p", `${port}:80`, "--replicas", String(replicas)];
  const made = await mesh.waggle("service", "create", ...flags, "waggle/whoami");
  if (made.code !== 0) throw new Error(made.err);
}

/** Requests whose rate swings and whose answers take differently long, until stopped. */
function traffic(ports: Readonly<Record<string, number>>): () => void {
  const began = Date.now();
  let sent = 0;
  const timer = setInterval(() => {
    const swing = 1 + 0.6 * Math.sin((Date.now() - began) / 25_000);
    for (const [index, [name, port]] of Object.entries(ports).entries()) {
      if (Math.random() > swing / (index + 1.4)) continue;
      sent += 1;
      const path = name === "api" && sent % 400 === 0 ? "/status/500" : `/delay/${delayOf(name)}`;
      const entry = sent % 2 === 0 ? "127.0.0.1" : `127.0.0.${2 + (sent % 3)}`;
      fetch(`http://${entry}:${port}${path}`)
        .then((answer) => answer.arrayBuffer())
        // What fails while things are killed is what the pictures are about.
        .catch(() => {});
    }
  }, 40);
  return () => clearInterval(timer);
}

/** Log-normal, as latencies are; now and then one is slow. Milliseconds. */
function delayOf(name: string): number {
  const median = name === "media" ? 40 : 9;
  const spread = Math.exp((Math.random() + Math.random() + Math.random() - 1.5) * 1.2);
  return Math.round(median * spread * (Math.random() < 0.01 ? 12 : 1));
}

type Task = {
  readonly NodeID: string;
  readonly Status: { readonly ContainerStatus?: { readonly PID?: number } };
};

/** The agent of node3 hangs, and a task somewhere else is killed. */
async function breakThings(): Promise<void> {
  process.kill(mesh.agentPid("node3"), "SIGSTOP");
  await until(
    "node3 is down",
    async () => {
      const nodes = await mesh.get<{ Status: { State: string } }[]>("/nodes");
      return nodes.some(({ Status }) => Status.State === "down") ? true : null;
    },
    { withinMs: 60_000 },
  );
  const tasks = await mesh.get<Task[]>(
    `/tasks?filters=${encodeURIComponent('{"desired-state":{"running":true},"node":{"node1":true}}')}`,
  );
  const pid = tasks.flatMap(({ Status }) => Status.ContainerStatus?.PID ?? [])[0];
  if (pid !== undefined) process.kill(pid, "SIGKILL");
}

async function take(
  name: string,
  path: string,
  colorScheme: "dark" | "light",
  ready: (page: Page) => Promise<void>,
): Promise<void> {
  const page = await signedIn(browser, colorScheme);
  await page.goto(`${mesh.control}/dashboard/${path}`);
  await ready(page);
  await page.locator("#freshness[data-state=live]").waitFor();
  const file = join(folder, `${name}.png`);
  await page.screenshot({ path: file });
  await page.context().close();
  const bytes = statSync(file).size;
  console.log(`${file}: ${bytes} bytes`);
  if (bytes > maxBytes) throw new Error(`${file} has ${bytes} bytes, more than ${maxBytes}`);
}

async function signedIn(from: Browser, colorScheme: "dark" | "light"): Promise<Page> {
  const page = await (await from.newContext({ colorScheme, viewport: size })).newPage();
  await page.goto(`${mesh.control}/dashboard/`);
  await page.getByLabel("Token of this mesh").fill(mesh.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#verdict").waitFor();
  return page;
}
