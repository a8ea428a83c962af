// Chromium for tests: from the variable CHROMIUM, or from the usual paths of Linux distributions.

import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const usualPaths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Null if no Chromium is installed; the suites that need it then name themselves as skipped. */
export const chromiumPath: string | null =
  [process.env.CHROMIUM, ...usualPaths].find((path) => path !== undefined && existsSync(path)) ?? null;

export const noChromium = "no Chromium: install it, or set CHROMIUM=/path/to/chromium";

/** @throws Error without a Chromium */
export function launchBrowser(): Promise<Browser> {
  if (chromiumPath === null) throw new Error(noChromium);
  // CI runs as root in a container, where Chromium cannot set up its sandbox.
  return chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export type { Browser, BrowserContext, Page };
