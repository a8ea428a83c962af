// The statistics page: HAProxy's content in our own design. It needs no script.

import { DisplayOptions, OutcomeMessage, StatsHead, StatsLegend } from "./page-head.tsx";
import { ProxyTable } from "./page-table.tsx";
import type { StatsReport } from "./report.ts";
import { style } from "./style.ts";
import { type StatsQuery, statsLink } from "./uri.ts";

export type StatsPageInput = {
  readonly query: StatsQuery;
  readonly uri: string;
  /** Allows the page's style in its content security policy. */
  readonly nonce: string;
  /** True if each action needs the operator's token in the form. */
  readonly requiresToken: boolean;
};

/** The refresh interval of an open page, seconds. */
const refreshS = 5;
/** The same for a page of more than `slowRefreshRows`: rendering ten thousand takes seconds. */
const slowRefreshS = 60;
const slowRefreshRows = 1_000;

const statsIcon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%23e69500' d='M8 0l7 4v8l-7 4-7-4V4z'/%3E%3C/svg%3E";

export function statsPage(report: StatsReport, input: StatsPageInput): string {
  const { query, uri, nonce } = input;
  const refreshUri = statsLink(uri, { ...query, outcome: "" });
  const rows = report.proxies.reduce((sum, proxy) => sum + proxy.rows.length, 0);
  const intervalS = rows > slowRefreshRows ? slowRefreshS : refreshS;
  const title = `Statistics Report for mesh ${report.mesh.name}`;
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>{title}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        {query.refresh && <meta http-equiv="refresh" content={`${intervalS};url=${refreshUri}`} />}
        <link rel="icon" href={statsIcon} />
        <style nonce={nonce} dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body>
        <header>
          <h1>{title}</h1>
          <OutcomeMessage name={query.outcome} />
          <div class="top">
            <StatsHead mesh={report.mesh} />
            <StatsLegend />
            <DisplayOptions query={query} uri={uri} />
          </div>
        </header>
        <main>
          {report.proxies.map((proxy) => (
            <ProxyTable proxy={proxy} {...input} />
          ))}
          {report.proxies.length === 0 && <p class="none">No proxy name contains “{query.scope}”.</p>}
        </main>
      </body>
    </html>
  );
  return `<!doctype html>${page}`;
}
