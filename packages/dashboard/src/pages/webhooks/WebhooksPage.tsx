// Settings → Webhooks: every webhook of the team.
import { useQuery } from '@tanstack/react-query';
import type { ListedWebhook } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { Card, Loaded, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine } from '../../kit/PlainText.tsx';

export default function WebhooksPage() {
  const { call, key } = useTeam();
  const webhooks = useQuery({
    queryKey: key('webhooks'),
    queryFn: ({ signal }) => call<ListedWebhook[]>('GET', '/v1/webhooks', { signal }),
  });
  return (
    <>
      <PageHeader title="Webhooks" description="HTTP requests that Posthorn sends when something happens." />
      <Card flush>
        <Loaded query={webhooks} skeleton={<SkeletonRows />}>
          {(list) => list.map((one) => <PlainLine key={one.id} text={one.url} mono />)}
        </Loaded>
      </Card>
    </>
  );
}
