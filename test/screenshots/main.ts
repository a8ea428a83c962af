// `npm run screenshots`: takes the README's screenshots of a real mesh with traffic. For one of them a node's
// agent is frozen and a task killed.

import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Browser, launchBrowser, type Page } from "../support/browser.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const folder = fileURLToPath(new URL("../../docs/images/", import.meta.url));

/** The README should load over slow connections too. */
const maxBytes = 150_000;

/** Duration of the traffic, so that the charts have content; `--minutes N` changes it. */
const flag = process.argv.indexOf("--minutes");
const minutes = flag === -1 ? 3 : Number(process.argv[flag + 1]);

const viewport = { width: 1_280, height: 820 };

mkdirSync(folder, { recursive: true });
const [browser, mesh] = await Promise.all([launchBrowser(), MeshProcess.start(["--empty"])]);
try {
  const ports = { "my-web": await freePort(), api: await freePort(), media: await freePort() };
  await create("my-web", ports["my-web"], 3);
  await create("api", ports.api, 4);
  await create("media", ports.media, 2);
  const stopTraffic = startTraffic(ports);
  console.log(`traffic for ${minutes} min`);
  await wait(minutes * 60_000);
  await takeScreenshot("overview", "", "dark", (page) =>
    page.getByText("All services are healthy").waitFor(),
  );
  await takeScreenshot("service", "services/api", "light", (page) =>
    page.locator("#chart-heatmap canvas").waitFor(),
  );
  await causeProblems();
  await takeScreenshot("unwell", "", "dark", (page) => page.getByText("node3").first().waitFor());
  stopTraffic();
  process.kill(mesh.agentPid("node3"), "SIGCONT");
} finally {
  await browser.close();
  await mesh.remove();
}

async function create(name: string, port: number, replicas: number): Promise<void> {
  const flags = ["--name", name, "-p", `${port}:80`, "--replicas", String(replicas)];
  const created = await mesh.waggle("service", "create", ...flags, "waggle/whoami");
  if (created.code !== 0) throw new Error(created.err);
}

/** Sends requests at a varying rate and with varying latencies. @returns a function that stops them */
function startTraffic(ports: Readonly<Record<string, number>>): () => void {
  const startedMs = Date.now();
  let requestCount = 0;
  const timer = setInterval(() => {
    const swing = 1 + 0.6 * Math.sin((Date.now() - startedMs) / 25_000);
    for (const [index, [name, port]] of Object.entries(ports).entries()) {
      if (Math.random() > swing / (index + 1.4)) continue;
      requestCount += 1;
      const path = name === "api" && requestCount % 400 === 0 ? "/status/500" : `/delay/${delayMsOf(name)}`;
      const entry = requestCount % 2 === 0 ? "127.0.0.1" : `127.0.0.${2 + (requestCount % 3)}`;
      fetch(`http://${entry}:${port}${path}`)
        .then((response) => response.arrayBuffer())
        // Requests fail on purpose while a node and a task are down.
        .catch(() => {});
    }
  }, 40);
  return () => clearInterval(timer);
}

/** A log-normal delay, as of real latencies, with one slow request in a hundred. Milliseconds. */
function delayMsOf(name: string): number {
  const medianMs = name === "media" ? 40 : 9;
  const spread = Math.exp((Math.random() + Math.random() + Math.random() - 1.5) * 1.2);
  return Math.round(medianMs * spread * (Math.random() < 0.01 ? 12 : 1));
}

type Task = {
  readonly NodeID: string;
  readonly Status: { readonly ContainerStatus?: { readonly PID?: number } };
};

/** Freezes the agent of node3 until its node is down, and kills a task on node1. */
async function causeProblems(): Promise<void> {
  process.kill(mesh.agentPid("node3"), "SIGSTOP");
  await until(
    "node3 to be down",
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

async function takeScreenshot(
  name: string,
  path: string,
  colorScheme: "dark" | "light",
  waitUntilReady: (page: Page) => Promise<void>,
): Promise<void> {
  const page = await signedIn(browser, colorScheme);
  await page.goto(`${mesh.control}/dashboard/${path}`);
  await waitUntilReady(page);
  await page.locator("#freshness[data-state=live]").waitFor();
  const file = join(folder, `${name}.png`);
  await page.screenshot({ path: file });
  await page.context().close();
  const bytes = statSync(file).size;
  console.log(`${file}: ${bytes} bytes`);
  if (bytes > maxBytes) throw new Error(`${file} has ${bytes} bytes, more than ${maxBytes}`);
}

async function signedIn(browser: Browser, colorScheme: "dark" | "light"): Promise<Page> {
  const page = await (await browser.newContext({ colorScheme, viewport })).newPage();
  await page.goto(`${mesh.control}/dashboard/`);
  await page.getByLabel("Mesh token").fill(mesh.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#health").waitFor();
  return page;
}
