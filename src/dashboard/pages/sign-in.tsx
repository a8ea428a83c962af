// The door: a token, or the link that `waggle dashboard` prints.

import { pagePaths } from "../paths.ts";

export type SignInFormProps = {
  /** Where to go then: a path of the dashboard. */
  readonly to: string;
  /** What went wrong the last time, or why one is asked again; null: nothing. */
  readonly notice: string | null;
};

export function SignInForm({ to, notice }: SignInFormProps) {
  return (
    <section class="sign-in">
      <h1>Sign in</h1>
      {notice !== null && (
        <p class="notice" role="alert" id="notice">
          {notice}
        </p>
      )}
      <form method="post" action={pagePaths.signIn}>
        <input type="hidden" name="to" value={to} />
        <label for="token">Token of this mesh</label>
        <input
          id="token"
          name="token"
          type="password"
          required
          autocomplete="current-password"
          autofocus
          spellcheck={false}
          {...(notice !== null && { "aria-describedby": "notice" })}
        />
        <button class="primary" type="submit">
          Sign in
        </button>
      </form>
      <p class="hint">
        The operator's token may act, the viewer's may look. Where the mesh runs on this machine,{" "}
        <code>bin/waggle dashboard</code> prints a link that signs you in.
      </p>
    </section>
  );
}

/** Following the link spends nothing: programs that look at links before people do would use it up. */
export function SignInByLink({ code }: { code: string }) {
  return (
    <section class="sign-in">
      <h1>Sign in as operator</h1>
      <form method="post" action={pagePaths.signIn}>
        <input type="hidden" name="code" value={code} />
        <button class="primary" type="submit" autofocus>
          Open the dashboard
        </button>
      </form>
      <p class="hint">This link works once.</p>
    </section>
  );
}
