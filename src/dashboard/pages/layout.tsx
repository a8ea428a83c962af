// The layout of every page: head, navigation, account, and the age of the data shown.

import type { Child } from "hono/jsx";
import { assetPath, type StaticAssets } from "../assets.ts";
import type { Identity } from "../context.ts";
import { GlyphShapes } from "../parts/glyph.tsx";
import { pagePaths } from "../paths.ts";
import { formatUtc } from "../text.ts";

export type PageProps = {
  readonly title: string;
  readonly assets: StaticAssets;
  readonly meshName: string;
  /** Null before sign-in. */
  readonly identity: Identity | null;
  /** The token of the sign-out form. */
  readonly formToken: string;
  /** The navigation entry of this page. */
  readonly section: NavSection | null;
  /** When the data was read, and the newest event in it. Null: the page does not refresh itself. */
  readonly live: { readonly nowMs: number; readonly seq: number; readonly tableVersion: number } | null;
  readonly charts?: boolean;
  readonly children?: Child;
};

const navLabels = {
  overview: "Overview",
  services: "Services",
  nodes: "Nodes",
  routing: "Routes",
  events: "Events",
} as const;
export type NavSection = keyof typeof navLabels;

export function Layout(props: PageProps) {
  const { title, assets, meshName, identity, section, live, charts = false, children } = props;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>{`${title} · ${meshName}`}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href={faviconUrl} />
        <link rel="stylesheet" href={assetPath(assets.style)} />
        {identity !== null && <script type="module" src={assetPath(assets.live)} />}
        {charts && <script type="module" src={assetPath(assets.charts)} />}
      </head>
      <body
        {...(live !== null && {
          "data-live": "/dashboard/live",
          "data-now": live.nowMs,
          "data-seq": live.seq,
          "data-table": live.tableVersion,
        })}
      >
        <a class="skip" href="#main">
          Skip to content
        </a>
        <GlyphShapes />
        <header class="top">
          <a class="brand" href={pagePaths.overview}>
            <Logo /> <span>{meshName}</span>
          </a>
          {identity !== null && <Navigation section={section} />}
          {identity !== null && <Account {...props} identity={identity} />}
        </header>
        <main id="main" tabindex={-1}>
          {live !== null && (
            <p class="freshness" id="freshness">
              <span class="dot" aria-hidden="true" />
              <span id="freshness-text">{`Data from ${formatUtc(live.nowMs)}`}</span>
            </p>
          )}
          {children}
        </main>
      </body>
    </html>
  );
}

function Navigation({ section }: { section: NavSection | null }) {
  return (
    <nav aria-label="Pages">
      <ul>
        {(Object.keys(navLabels) as NavSection[]).map((name) => (
          <li>
            <a href={pagePaths[name]} {...(name === section && { "aria-current": "page" })}>
              {navLabels[name]}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Account({ identity, formToken }: PageProps & { identity: Identity }) {
  return (
    <div class="account">
      <span class="identity" title={identity.role === "operator" ? "can make changes" : "read-only"}>
        {identity.actor === identity.role ? identity.role : `${identity.actor} (${identity.role})`}
      </span>
      {identity.by === "token" ? (
        <form method="post" action="/dashboard/sign-out">
          <input type="hidden" name="form" value={formToken} />
          <button class="quiet" type="submit">
            Sign out
          </button>
        </form>
      ) : (
        <a class="button quiet" href="/cdn-cgi/access/logout">
          Sign out
        </a>
      )}
    </div>
  );
}

/** Six cells of a honeycomb around a seventh. */
function Logo() {
  return (
    <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
      <path d={logoPath} fill="currentColor" />
    </svg>
  );
}

const logoPath =
  "M12 8.6l2.9 1.7v3.4L12 15.4l-2.9-1.7v-3.4zM12 .9l2.9 1.7V6L12 7.7 9.1 6V2.6zM12 16.3l2.9 1.7v3.4L12 23.1l-2.9-1.7V18z" +
  "M5.4 4.8l2.9 1.7v3.3l-2.9 1.7-2.9-1.7V6.5zM18.6 4.8l2.9 1.7v3.3l-2.9 1.7-2.9-1.7V6.5z" +
  "M5.4 12.5l2.9 1.7v3.3l-2.9 1.7-2.9-1.7v-3.3zM18.6 12.5l2.9 1.7v3.3l-2.9 1.7-2.9-1.7v-3.3z";

const faviconUrl = `data:image/svg+xml,${encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#c77d0a" d="${logoPath}"/></svg>`,
)}`;
