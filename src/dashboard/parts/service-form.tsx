// The form that creates or edits a service. It leads to a confirmation.

import type { Child } from "hono/jsx";
import type { ServiceFormFields } from "../service-form.ts";

export function ServiceForm({
  action,
  fields,
  formToken,
  button,
  children,
}: {
  /** Where the confirmation is. */
  action: string;
  fields: ServiceFormFields;
  formToken: string;
  button: string;
  /** Fields before these. */
  children?: Child;
}) {
  const { image, replicas, env, ports } = fields;
  return (
    <form class="service-form" method="post" action={action}>
      <input type="hidden" name="form" value={formToken} />
      {children}
      <label for="image">Image</label>
      <input id="image" name="image" value={image} required autocomplete="off" spellcheck={false} />
      {replicas !== "" && (
        <>
          <label for="form-replicas">Number of tasks</label>
          <input
            id="form-replicas"
            name="replicas"
            type="number"
            min="0"
            max="10000"
            required
            value={replicas}
          />
        </>
      )}
      <label for="env">Environment, KEY=value in each line</label>
      <textarea id="env" name="env" rows={4} spellcheck={false}>
        {env}
      </textarea>
      <label for="ports">Ports, PUBLISHED:TARGET in each line</label>
      <textarea id="ports" name="ports" rows={2} spellcheck={false}>
        {ports}
      </textarea>
      <button class="primary" type="submit">
        {button}
      </button>
    </form>
  );
}
