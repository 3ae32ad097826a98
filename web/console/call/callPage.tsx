export function CallPage({ id }: { id: string }) {
  return <p>{id}</p>;
}
