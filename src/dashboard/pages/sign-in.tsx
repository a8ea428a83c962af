// The sign-in page: a token field, or the confirmation of a one-time link from `waggle dashboard`.

import { TextWithCode } from "../parts/inline-text.tsx";
import { pagePaths } from "../paths.ts";

export type SignInFormProps = {
  /** Dashboard path to open after sign-in. */
  readonly to: string;
  /** Why the previous attempt failed, or why a new sign-in is needed. */
  readonly notice: string | null;
};

export function SignInForm({ to, notice }: SignInFormProps) {
  return (
    <section class="sign-in">
      <h1>Sign in</h1>
      {notice !== null && (
        <p class="notice" role="alert" id="notice">
          <TextWithCode text={notice} />
        </p>
      )}
      <form method="post" action={pagePaths.signIn}>
        <input type="hidden" name="to" value={to} />
        <label for="token">Mesh token</label>
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
        The operator token allows changes; the viewer token is read-only. On the machine that runs the mesh,{" "}
        <code>waggle dashboard</code> prints a link that signs you in.
      </p>
    </section>
  );
}

/** Opening the link does not redeem it: mail scanners and chat previews open links before people do. */
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
