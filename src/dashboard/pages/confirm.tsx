// The confirmation page: the effects of an action, and the button that performs it.

export type Confirmation = {
  /** `Drain node2?` */
  readonly title: string;
  /** One sentence each. */
  readonly effects: readonly string[];
  /** The label of the button: `Drain node2`. */
  readonly verb: string;
  /** Path that the form posts to. */
  readonly action: string;
  /** Path that the browser goes to after the action. */
  readonly back: string;
  /** Path that Cancel leads to; absent: `back`. */
  readonly cancel?: string;
  /** Hidden fields of the form besides its token. */
  readonly fields: Readonly<Record<string, string>>;
  /** The effect is hard to undo. */
  readonly isDestructive: boolean;
};

export function Confirm({ confirmation, formToken }: { confirmation: Confirmation; formToken: string }) {
  const { title, effects, verb, action, back, cancel = back, fields, isDestructive } = confirmation;
  return (
    <section class="confirm">
      <h1>{title}</h1>
      <ul>
        {effects.map((effect) => (
          <li>{effect}</li>
        ))}
      </ul>
      <form method="post" action={action}>
        <input type="hidden" name="form" value={formToken} />
        {Object.entries(fields).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <button class={isDestructive ? "danger" : "primary"} type="submit" autofocus>
          {verb}
        </button>
        <a class="button quiet" href={cancel}>
          Cancel
        </a>
      </form>
    </section>
  );
}
