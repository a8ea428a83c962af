// Renders a page inside the layout as the response to a request.

import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { DashboardDeps, DashboardEnv } from "./context.ts";
import { Layout, type NavSection } from "./pages/layout.tsx";
import { formToken } from "./session.ts";
import type { DashboardView } from "./view.ts";

type PageHead = {
  readonly title: string;
  readonly section?: NavSection;
  /** The view that the page shows; absent on a page that does not refresh itself. */
  readonly view?: DashboardView;
  readonly charts?: boolean;
};

export type Render = (
  c: Context<DashboardEnv>,
  status: ContentfulStatusCode,
  head: PageHead,
  content: Child,
) => Response;

export function renderer(deps: DashboardDeps): Render {
  return (c, status, { title, section, view, charts }, content) => {
    // Absent on the sign-in page, and after an error before requireSignIn.
    const identity = c.get("identity") ?? null;
    const live =
      view === undefined ? null : { nowMs: view.nowMs, seq: view.seq, tableVersion: view.info.tableVersion };
    const page = (
      <Layout
        title={title}
        assets={deps.assets}
        meshName={deps.meshName}
        identity={identity}
        formToken={identity === null ? "" : formToken(c.get("keys"), identity)}
        section={section ?? null}
        live={live}
        charts={charts ?? false}
      >
        {content}
      </Layout>
    );
    return c.body(`<!doctype html>${page}`, status, { "content-type": "text/html; charset=utf-8" });
  };
}

/** A page with a title, a sentence and a link back: for errors and refusals. */
export function renderMessagePage(
  render: Render,
  c: Context<DashboardEnv>,
  status: ContentfulStatusCode,
  title: string,
  text: string,
  back?: string,
): Response {
  return render(c, status, { title }, <Message title={title} text={text} back={back} />);
}

function Message({ title, text, back }: { title: string; text: string; back?: string | undefined }) {
  return (
    <section class="message">
      <h1>{title}</h1>
      <p>{text}</p>
      {back !== undefined && (
        <p>
          <a class="button" href={back}>
            Back
          </a>
        </p>
      )}
    </section>
  );
}
