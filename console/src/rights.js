// What the reader may do.
import { useSession } from "./session.js";
import { html } from "./ui.js";

// Whether the reader has a scope: what they may not do isn't offered. An open server asks for none.
export function useMay(scope) {
  const session = useSession();
  if (!session || session.open) return true;
  const [service, what] = scope.split(":");
  return session.scopes.some((pattern) => {
    const [of, may = "*"] = pattern.split(":");
    return ["*", service].includes(of) && ["*", what].includes(may);
  });
}
export const LookOnly = ({ scope }) => html`<p class="quiet look-only">You may look at this and change nothing: that takes the scope
  ${" "}<code>${scope}</code>.</p>`;
