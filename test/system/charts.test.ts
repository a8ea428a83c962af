// The charts in Chromium, on a mesh in memory with generated traffic.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, chromiumPath, launchBrowser, noChromium, type Page } from "../support/browser.ts";
import { serveDashboard, serverToken } from "../support/dashboard-server.ts";
import type { TestServer } from "../support/serve.ts";
import { newTelemetry } from "../support/telemetry.ts";
import { until } from "../support/until.ts";
import { TestMesh } from "../unit/registry/harness.ts";
import { delta, entryDelta, taskDelta } from "../unit/telemetry/deltas.ts";

const skipPrefix = chromiumPath === null ? "skipped: " : "";

describe.skipIf(chromiumPath === null)(
  `${skipPrefix}charts in Chromium${skipPrefix && ` (${noChromium})`}`,
  () => {
    const mesh = new TestMesh();
    let nowMs = Date.now();
    const telemetry = newTelemetry(() => nowMs);
    let browser: Browser;
    let server: TestServer;
    let deltaCount = 0;

    /** Counts ten seconds of traffic; a tenth of the requests is answered with 500. */
    function count(requests: number): void {
      const [service] = mesh.registry.services();
      const [node] = mesh.registry.nodes();
      if (service === undefined || node === undefined) throw new Error("no service");
      const about = {
        service: { id: service.id, name: "my-web" },
        node: { id: node.id, name: node.hostname },
      };
      const latenciesMs = Array.from({ length: requests }, (_, index) => 5 + index);
      const entries = [entryDelta({ requests, responses5xx: requests / 10 }, latenciesMs, about)];
      const tasks = [
        taskDelta({ attempts: requests }, latenciesMs, { serviceId: service.id, nodeId: node.id }),
      ];
      deltaCount += 1;
      telemetry.count(delta(deltaCount, { entries, tasks }));
      nowMs += 10_000;
    }

    beforeAll(async () => {
      mesh.node("node1");
      mesh.service("my-web");
      mesh.work();
      for (let step = 0; step < 30; step += 1) count(step % 10 === 9 ? 100 : 20);
      [browser, server] = await Promise.all([launchBrowser(), serveDashboard(mesh, telemetry)]);
    });

    afterAll(async () => {
      await browser?.close();
      await server?.stop();
    });

    async function signedIn(options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
      const page = await (await browser.newContext(options)).newPage();
      await page.goto(`http://${server.host}/dashboard/services/my-web`);
      await page.getByLabel("Mesh token").fill(serverToken);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator("#traffic").waitFor();
      return page;
    }

    test("[G36] every drawing becomes a chart that shows numbers at the pointer, without violating the policy", async () => {
      const page = await signedIn();
      const violations: string[] = [];
      page.on("console", (message) => {
        // This server has no WebSocket.
        if (message.type() === "error" && !message.text().includes("WebSocket"))
          violations.push(message.text());
      });
      page.on("pageerror", (error) => violations.push(error.message));
      await page.reload();
      for (const chart of ["rate", "latency", "heatmap"]) {
        const canvas = page.locator(`#chart-${chart} .plot canvas`);
        await canvas.waitFor();
        expect(await paintedPixels(page, chart), chart).toBeGreaterThan(500);
      }
      expect(await page.locator(".drawing").first().isVisible()).toBe(false);
      await page.locator("#chart-rate .u-over").hover({ position: { x: 100, y: 60 } });
      await until("the legend to show the rate", async () => {
        const text = await page.locator("#chart-rate .u-legend").textContent();
        return /Requests:?\s*\d+(\.\d)?\/s/.test(text ?? "") ? true : null;
      });
      await page.locator("#chart-heatmap .u-over").hover({ position: { x: 100, y: 60 } });
      await page
        .locator("#chart-heatmap .readout")
        .getByText(/UTC, .* to .*: \d+ requests?/)
        .waitFor();
      expect(violations).toEqual([]);
      await page.context().close();
    });

    test("[G36] a refresh updates a chart in place; a change of theme redraws it", async () => {
      const page = await signedIn({ colorScheme: "light" });
      await page.locator("#chart-rate .plot canvas").waitFor();
      await page.evaluate("document.querySelector('#chart-rate .plot').kept = true");
      await page.locator("#numbers summary").click();
      count(40);
      const newest = page.locator("#numbers tbody tr").first();
      await newest.getByText("4", { exact: true }).first().waitFor();
      expect(await page.evaluate("document.querySelector('#chart-rate .plot').kept")).toBe(true);
      expect(await page.locator("figure .plot").count()).toBe(3);
      expect(await newest.isVisible(), "the table stays open").toBe(true);
      await page.emulateMedia({ colorScheme: "dark" });
      await until("the chart to be redrawn", async () => {
        const isKept = await page.evaluate("document.querySelector('#chart-rate .plot')?.kept === true");
        return isKept ? null : true;
      });
      expect(await paintedPixels(page, "rate")).toBeGreaterThan(500);
      await page.context().close();
    });

    test("[G31] without JavaScript the pages show the SVG drawings", async () => {
      const page = await signedIn({ javaScriptEnabled: false });
      for (const chart of ["rate", "latency", "heatmap"]) {
        const box = await page.locator(`#chart-${chart} .drawing svg`).boundingBox();
        expect(box?.height, chart).toBeGreaterThan(80);
      }
      expect(await page.locator(".plot").count()).toBe(0);
      await page.context().close();
    });
  },
);

/** The number of pixels that a chart has painted. */
async function paintedPixels(page: Page, chart: string): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector("#chart-${chart} .plot canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] > 0) painted += 1;
    return painted;
  })()`);
}
