export function EvaluateView() {
  return <main id="main" tabIndex={-1} />;
}
