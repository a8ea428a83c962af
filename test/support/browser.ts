// A real Chromium, driven from tests: found where CHROMIUM says, or where Linux distributions put it.

import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const usualPlaces = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Path of a Chromium; null when this machine has none, and then the suites that need one say what they skip. */
export const chromiumPath: string | null =
  [process.env.CHROMIUM, ...usualPlaces].find((path) => path !== undefined && existsSync(path)) ?? null;

export const noChromium = "no Chromium: install it, or say where one is with CHROMIUM=/path/to/chromium";

/** @throws Error when there is none */
export function launchBrowser(): Promise<Browser> {
  if (chromiumPath === null) throw new Error(noChromium);
  // CI runs as root in a container, where Chromium's own sandbox cannot be set up.
  return chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export type { Browser, BrowserContext, Page };
