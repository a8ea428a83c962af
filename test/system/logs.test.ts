// Logs of tasks, from the process to the unmodified Docker CLI.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, chromiumPath, launchBrowser, noChromium, type Page } from "../support/browser.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const hasDocker = spawnSync("docker", ["--version"]).status === 0;
const title = hasDocker
  ? "logs of tasks"
  : "logs of tasks (skipped: no docker command; apt-get install docker.io)";

/** A task that prints what its clients ask for. */
const program = `
import { createServer } from "node:http";
const slot = process.env.WAGGLE_SLOT;
console.log("out: started", slot);
console.error("err: started", slot);
createServer((request, response) => {
  const text = decodeURIComponent(request.url.slice(1));
  const flood = Number(/^flood (\\d+)$/.exec(text)?.[1] ?? 0);
  const lines = ("y".repeat(99) + "\\n").repeat(flood);
  if (flood > 0) process.stdout.write(lines + "the end of " + text + "\\n", () => response.end(slot));
  else if (text === "crash") process.stderr.write("fatal: out of luck\\n", () => process.exit(3));
  else process.stdout.write("out: " + text + "\\n", () => response.end(slot));
}).listen(process.env.PORT, process.env.HOST);
`;

describe.skipIf(!hasDocker)(title, () => {
  let folder: string;
  let mesh: MeshProcess;
  let port: number;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "waggle-logs-"));
    writeFileSync(join(folder, "app.mjs"), program);
    const images = join(folder, "images.json");
    writeFileSync(images, JSON.stringify({ app: { command: [process.execPath, join(folder, "app.mjs")] } }));
    mesh = await MeshProcess.start(["--empty", "--images", images]);
    port = await freePort();
    await ok("service", "create", "--name", "web", "--replicas", "3", "--publish", `${port}:80`, "app");
  });

  afterAll(async () => {
    await mesh?.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  async function docker(...args: string[]): Promise<{ readonly out: string[]; readonly err: string[] }> {
    const { code, out, err } = await mesh.docker(...args);
    expect(code, `docker ${args.join(" ")}\n${out}${err}`).toBe(0);
    const lines = (text: string) => text.split("\n").filter((line) => line !== "");
    return { out: lines(out), err: lines(err) };
  }

  async function ok(...args: string[]): Promise<string> {
    return (await docker(...args)).out.join("\n");
  }

  const say = async (text: string): Promise<string> =>
    (await fetch(`http://127.0.0.2:${port}/${encodeURIComponent(text)}`)).text();

  test("[D50] docker service logs prints both streams of all tasks apart, each line with its task and node", async () => {
    await until("six lines", async () => {
      const { out, err } = await docker("service", "logs", "web");
      return out.length === 3 && err.length === 3;
    });
    const { out, err } = await docker("service", "logs", "web");
    for (const slot of [1, 2, 3]) {
      const named = (text: string) => new RegExp(`^web\\.${slot}\\.\\w{12}@node\\d +\\| ${text} ${slot}$`);
      expect(out).toContainEqual(expect.stringMatching(named("out: started")));
      expect(err).toContainEqual(expect.stringMatching(named("err: started")));
    }
  });

  test("[D50] docker service logs of a task prints its lines alone", async () => {
    const id = (await ok("service", "ps", "-q", "--filter", "name=web.2", "web")).trim();
    const { out, err } = await docker("service", "logs", "--raw", id);
    expect([out, err]).toEqual([["out: started 2"], ["err: started 2"]]);
    const full = await docker("service", "logs", "--no-trunc", "--timestamps", id);
    expect(full.out[0]).toMatch(
      new RegExp(`^\\d{4}-[\\d-]+T[\\d:.]+Z web\\.2\\.${id}@node\\d +\\| out: started 2$`),
    );
    expect((await docker("service", "logs", "--no-task-ids", id)).out[0]).toMatch(/^web\.2@node\d +\| /);
    expect((await docker("service", "logs", "--details", id)).out[0]).toMatch(/@node\d +\| +out: started 2$/);
  });

  test("[L97] waggle logs prints the same lines as docker service logs", async () => {
    const { code, out, err } = await mesh.waggle("logs", "web");
    const lines = (text: string) => text.trim().split("\n").toSorted();
    const fromDocker = await docker("service", "logs", "web");
    expect(code).toBe(0);
    expect(lines(out)).toEqual(fromDocker.out.toSorted());
    expect(lines(err)).toEqual(fromDocker.err.toSorted());
  });

  test("[D51] --tail prints the last lines of each task, --since those after a time", async () => {
    const slots = new Map<string, string[]>();
    for (let number = 1; number <= 12; number++) {
      const slot = await say(`request ${number}`);
      slots.set(slot, [...(slots.get(slot) ?? []), `out: request ${number}`]);
    }
    const { out } = await docker("service", "logs", "--tail", "2", "--raw", "web");
    const expected = [...slots.values()].flatMap((lines) => lines.slice(-2));
    expect(out.toSorted()).toEqual(expected.toSorted());
    const timed = await docker("service", "logs", "--timestamps", "web");
    const time = timed.out.find((line) => line.endsWith("request 9"))?.split(" ")[0] ?? "";
    const since = await docker("service", "logs", "--raw", "--since", time, "web");
    expect(since.out).toEqual([9, 10, 11, 12].map((number) => `out: request ${number}`));
    expect(since.err).toEqual([]);
  });

  test("[D52] -f prints lines as they come, of new tasks too, until the service is removed", async () => {
    await ok("service", "create", "--name", "late", "--publish", "0:80", "app");
    const following = mesh.docker("service", "logs", "-f", "--raw", "late");
    await ok("service", "scale", "late=2");
    await ok("service", "update", "--force", "late");
    await until("the lines of four tasks", async () => {
      const { out } = await docker("service", "logs", "--raw", "late");
      return out.length === 4;
    });
    await ok("service", "rm", "late");
    const { code, out } = await following;
    expect(code).toBe(0);
    const started = out.split("\n").filter((line) => line.startsWith("out: started"));
    expect(started.toSorted()).toEqual([1, 1, 2, 2].map((slot) => `out: started ${slot}`));
  });

  test("[D53] the lines of ended tasks are printed too, also those of a drained node", async () => {
    const state = await ok(
      "service",
      "ps",
      "--filter",
      "desired-state=running",
      "--format",
      "{{.Node}}",
      "web",
    );
    const node = state.split("\n")[0] ?? "";
    await ok("node", "update", "--availability", "drain", node);
    await until("a new task elsewhere", async () => {
      const nodes = await ok(
        "service",
        "ps",
        "--filter",
        "desired-state=running",
        "--format",
        "{{.Node}}",
        "web",
      );
      return nodes.split("\n").length === 3 && !nodes.includes(node);
    });
    const { out } = await docker("service", "logs", "--raw", "web");
    expect(out.filter((line) => line.startsWith("out: started")).length).toBeGreaterThanOrEqual(4);
  });

  describe.skipIf(chromiumPath === null)(`the log pane (${chromiumPath ?? `skipped: ${noChromium}`})`, () => {
    let browser: Browser;
    let page: Page;

    beforeAll(async () => {
      browser = await launchBrowser();
      page = await browser.newPage();
      const { out } = await mesh.waggle("dashboard");
      await page.goto(/http\S+/.exec(out)?.[0] ?? "");
      await page.getByRole("button", { name: "Open the dashboard" }).click();
      await page.getByRole("heading", { level: 1 }).waitFor();
    });

    afterAll(() => browser?.close());

    const open = (path: string) => page.goto(new URL(path, page.url()).href);
    const lines = async () =>
      (await page.locator(".log-line").allTextContents()).map((text) => text.slice(12));

    test("[G70] the pane of a service shows the lines of its tasks, and new ones as they are written", async () => {
      await open("/dashboard/services/web");
      await page.getByText("out: started 1").first().waitFor();
      await say("to be seen");
      await page.getByText("out: to be seen", { exact: true }).waitFor();
      expect(await page.getByRole("status").last().textContent()).toContain("Following");
    });

    test("[G72] lines stay text on their line, and standard error is marked in words", async () => {
      await say("<img src=x onerror=alert(1)>\ttab \x1b[31mred\rover");
      const shown = page.getByText("out: <img src=x onerror=alert(1)>", { exact: false });
      await shown.waitFor();
      expect(await shown.textContent()).toBe("out: <img src=x onerror=alert(1)>\\ttab \\x1b[31mred\\rover");
      expect(await page.locator(".log-line img").count()).toBe(0);
      expect((await lines()).some((line) => /web\.1@node\derrerr: started 1$/.test(line))).toBe(true);
    });

    test("[G70] the id of a task leads to its page with its lines alone", async () => {
      const id = (
        await ok("service", "ps", "-q", "--no-trunc", "--filter", "desired-state=running", "web")
      ).split("\n")[0];
      await page.locator(`a[href="/dashboard/tasks/${id}"]`).click();
      await page.getByText("out: started").first().waitFor();
      const slots = new Set((await lines()).map((line) => line.split("@")[0]));
      expect(slots.size).toBe(1);
    });

    test("[G73] a flood does not fill the page: it keeps the last 1,000 lines", async () => {
      await open("/dashboard/services/web");
      await page.getByText("out: started 1").first().waitFor();
      await say("flood 1200");
      await page.getByText("the end of flood 1200").waitFor();
      expect(await page.locator(".log-line").count()).toBe(1_000);
    });

    test("[G73] a flood reaches the browser slowly", async () => {
      await page.evaluate(`(async () => {
        const response = await fetch("/dashboard/services/web/logs");
        window.flood = response.body.getReader();
        for (let bytes = 0; bytes < 1_000; ) bytes += (await window.flood.read()).value.length;
      })()`);
      await say("flood 50000");
      const bytes = await page.evaluate(`(async () => {
        const read = async (untilBytes, untilMs) => {
          let bytes = 0;
          while (bytes < untilBytes && performance.now() < untilMs) bytes += (await window.flood.read()).value.length;
          return bytes;
        };
        await read(200_000, Infinity);
        const bytes = await read(Infinity, performance.now() + 1_000);
        await window.flood.cancel();
        return bytes;
      })()`);
      expect(bytes).toBeLessThan(327_680 + 2 * 65_536);
    });
  });

  test("[N189] docker service ps says why a task failed, in its own last words", async () => {
    await fetch(`http://127.0.0.2:${port}/crash`, { method: "POST" }).catch(() => null);
    const error = await until("the failed task", async () => {
      const errors = await ok("service", "ps", "--no-trunc", "--format", "{{.Error}}", "web");
      return errors.split("\n").find((text) => text.includes("non-zero exit (3)"));
    });
    expect(error).toMatch(/^"task: non-zero exit \(3\): .*fatal: out of luck"$/);
  });
});
