// The statistics page in Chromium without JavaScript, on the balancer of a real mesh.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, chromiumPath, launchBrowser, noChromium, type Page } from "../support/browser.ts";
import { MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const skipPrefix = chromiumPath === null ? `skipped: ${noChromium}: ` : "";

let browser: Browser;
let mesh: MeshProcess;

const statsUrl = (options = "") => `http://127.0.0.1:${mesh.edgePort}/haproxy?stats${options}`;

describe.skipIf(chromiumPath === null)(`${skipPrefix}the statistics page in Chromium`, () => {
  beforeAll(async () => {
    [browser, mesh] = await Promise.all([launchBrowser(), MeshProcess.start(["--empty"])]);
    const created = await mesh.waggle("service", "create", "--name", "my-web", "-p", "80", "waggle/whoami");
    expect(created, created.err).toMatchObject({ code: 0 });
  });

  afterAll(async () => {
    await browser?.close();
    await mesh?.remove();
  });

  test("[Z17] the page refreshes itself, although services share its origin", async () => {
    const page = await open("");
    const uptime = () => page.locator("dd").nth(1).textContent();
    const first = await uptime();
    await until("the page to refresh", async () => (await uptime()) !== first, { withinMs: 15_000 });
    await page.context().close();
  });

  test("[Z16] on the balancer the form changes a server's state with the operator token", async () => {
    const page = await open("");
    await page.getByRole("link", { name: "Change servers" }).first().click();
    const set = async (action: string, token: string) => {
      await page.getByRole("checkbox", { name: "node2" }).check();
      const form = page.locator("form", { has: page.getByRole("checkbox", { name: "node2" }) });
      await form.getByRole("combobox").selectOption(action);
      await form.getByLabel("Operator token").fill(token);
      await form.getByRole("button", { name: "Apply" }).click();
      return page.getByRole("status").textContent();
    };
    const row = page.getByRole("row", { name: "node2" });
    expect(await set("drain", "a guess")).toContain("DENY");
    expect(await row.textContent()).not.toContain("DRAIN");
    expect(await set("drain", mesh.token)).toContain("DONE");
    expect(await row.textContent()).toContain("DRAIN");
    expect(await set("ready", mesh.token)).toContain("DONE");
    await page.context().close();
  });

  test("[Z16] on the control API's own origin the page's credentials are enough", async () => {
    const page = await open("", mesh.controlPort);
    await page.getByRole("link", { name: "Change servers" }).first().click();
    expect(await page.getByLabel("Operator token").count()).toBe(0);
    await page.getByRole("checkbox", { name: "node3" }).check();
    const form = page.locator("form", { has: page.getByRole("checkbox", { name: "node3" }) });
    await form.getByRole("combobox").selectOption("maint");
    await form.getByRole("button", { name: "Apply" }).click();
    expect(await page.getByRole("status").textContent()).toContain("DONE");
    expect(await page.getByRole("row", { name: "node3" }).textContent()).toContain("MAINT");
    await page.context().close();
  });

  test("[Z13] a scope from the form leaves one proxy and keeps the other options", async () => {
    const page = await open(";up;norefresh");
    await page.getByLabel("Scope").fill("my-w");
    await page.getByLabel("Scope").press("Enter");
    await page.waitForURL(/scope=my-w/);
    const names = () => page.locator(".proxy h2 a").allTextContents();
    expect(await names()).toEqual(["my-web"]);
    expect(await page.getByRole("link", { name: "Show all servers" }).count()).toBe(1);
    await page.getByRole("link", { name: "Enable refresh" }).click();
    expect(await names()).toEqual(["my-web"]);
    await page.context().close();
  });

  test.each([360, 1_280, 2_000])(
    "[Z17] at %i pixels the page is not wider than the window; only its tables scroll",
    async (width) => {
      const page = await open(";norefresh", mesh.edgePort, { viewport: { width, height: 800 } });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      expect(await page.locator(".scroll").first().getAttribute("tabindex")).toBe("0");
      await page.context().close();
    },
  );

  test.each(["light", "dark"] as const)(
    "[Z17] axe finds no fault on the page in the %s theme",
    async (colorScheme) => {
      for (const options of ["", ";norefresh;st=DENY"]) {
        const page = await open(options, mesh.edgePort, { colorScheme, javaScriptEnabled: true });
        // Injected by the debugger, which the page's policy does not restrict. The page refreshes itself, as
        // HAProxy's does, and has a link that stops that: the rule against it does not apply.
        await page.evaluate(axe);
        const faults = await page.evaluate(
          "axe.run({ rules: { 'meta-refresh': { enabled: false } } }).then((result) => result.violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))",
        );
        expect(faults, options).toEqual([]);
        await page.context().close();
      }
    },
  );
});

type ContextOptions = Parameters<Browser["newContext"]>[0];

/** Opens the page in a browser with the operator token as its HTTP password. */
async function open(
  options: string,
  port = mesh.edgePort,
  contextOptions: ContextOptions = {},
): Promise<Page> {
  const httpCredentials = { username: "any", password: mesh.token };
  const context = await browser.newContext({ javaScriptEnabled: false, httpCredentials, ...contextOptions });
  const page = await context.newPage();
  await page.goto(statsUrl(options).replace(String(mesh.edgePort), String(port)));
  return page;
}
