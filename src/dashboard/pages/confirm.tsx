// Before anything is changed: what would happen, and one button that does it.

export type Confirmation = {
  /** `Drain node2?` */
  readonly title: string;
  /** What happens then, a sentence each. */
  readonly effects: readonly string[];
  /** On the button: `Drain node2`. */
  readonly verb: string;
  /** Where the form goes, and where Cancel does. */
  readonly action: string;
  readonly back: string;
  /** What the form carries besides its token. */
  readonly fields: Readonly<Record<string, string>>;
  /** It takes something away that is not easily had back. */
  readonly isDestructive: boolean;
};

export function Confirm({ confirmation, formToken }: { confirmation: Confirmation; formToken: string }) {
  const { title, effects, verb, action, back, fields, isDestructive } = confirmation;
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
        <button class={isDestructive ? "grave" : "primary"} type="submit" autofocus>
          {verb}
        </button>
        <a class="button quiet" href={back}>
          Cancel
        </a>
      </form>
    </section>
  );
}
