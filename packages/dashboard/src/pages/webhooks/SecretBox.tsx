// A secret that is shown this once.
import { Copy } from '../../kit/Copy.tsx';
import { Notice } from '../../kit/Page.tsx';

export function SecretBox({ secret }: { secret: string }) {
  return (
    <div className="stack secret">
      <div className="secret-line">
        <code>{secret}</code>
        <Copy text={secret} what="the secret" />
      </div>
      <Notice kind="warning">
        Copy the secret now: it won’t be shown again. Your handler needs it to verify the{' '}
        <code>x-vercel-signature</code> header.
      </Notice>
    </div>
  );
}
