// Settings → Webhooks: every webhook of the team, what it did in the last 24 hours, and how many there may be.
import { Plus, Webhook as WebhookGlyph, X } from 'lucide-react';
import { Link, useLocation } from 'wouter';
import type { ListedWebhook, WebhookActivity } from '../../api/types.ts';
import { whoMay } from '../../app/permissions.ts';
import { useTeam } from '../../app/session.tsx';
import { useShortcut } from '../../app/shortcuts.ts';
import { Badge, DeliveryStatus } from '../../kit/Badge.tsx';
import { Button, ButtonLink, IconButton } from '../../kit/Button.tsx';
import { Card, Empty, Loaded, Notice, PageHeader, Skeleton, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import { hobbySentence, useWhyNoMore, usualLimit } from './limits.ts';
import { OutcomeBar } from './OutcomeBar.tsx';
import { useActivity, useEventTypes, useWebhooks } from './queries.ts';
import { useRemoveWebhook } from './remove.tsx';
import './webhooks.css';

export default function WebhooksPage() {
  const { team, may } = useTeam();
  const webhooks = useWebhooks();
  const activity = useActivity();
  const limits = activity.data ?? { limit: usualLimit, used: webhooks.data?.length ?? 0 };
  const mayWrite = may('webhooks.write');
  return (
    <>
      <PageHeader
        title="Webhooks"
        description="Posthorn sends a signed HTTP POST to your endpoint when something happens in this team."
        actions={
          <>
            {webhooks.data === undefined ? null : (
              <span className="quiet number small">
                {limits.used} of {limits.limit}
              </span>
            )}
            {mayWrite ? <Create limits={limits} /> : null}
          </>
        }
      />
      <div className="stack">
        {team.plan === 'hobby' ? (
          <Notice kind="warning" title="Webhooks need the Pro or Enterprise plan">
            This team is on Hobby. Ask whoever runs this server to change the team’s plan.
          </Notice>
        ) : null}
        {mayWrite ? null : (
          <Notice>
            Your role in this team may look at webhooks; {whoMay('webhooks.write')} may change them.
          </Notice>
        )}
        <Card flush>
          <Loaded query={webhooks} skeleton={<SkeletonRows />}>
            {(list) =>
              list.length === 0 ? (
                <NoWebhooks mayWrite={mayWrite && team.plan !== 'hobby'} />
              ) : (
                <WebhookTable list={list} activity={activity.data} mayWrite={mayWrite} />
              )
            }
          </Loaded>
        </Card>
      </div>
    </>
  );
}

function Create({ limits }: { limits: Pick<WebhookActivity, 'limit' | 'used'> }) {
  const { href } = useTeam();
  const [, navigate] = useLocation();
  const why = useWhyNoMore(limits);
  const address = href('settings/webhooks/new');
  useShortcut('c', 'Webhooks', 'Create a webhook', () => {
    if (why === null) navigate(address);
  });
  if (why === null) {
    return (
      <ButtonLink kind="primary" icon={Plus} href={address}>
        Create Webhook
      </ButtonLink>
    );
  }
  return (
    <Button kind="primary" icon={Plus} why={why}>
      Create Webhook
    </Button>
  );
}

function NoWebhooks({ mayWrite }: { mayWrite: boolean }) {
  const { href, team } = useTeam();
  return (
    <Empty
      icon={WebhookGlyph}
      title="No webhooks yet"
      action={
        mayWrite ? (
          <ButtonLink kind="primary" icon={Plus} href={href('settings/webhooks/new')}>
            Create Webhook
          </ButtonLink>
        ) : null
      }
    >
      {team.plan === 'hobby'
        ? hobbySentence
        : 'Choose events and projects, enter the URL of your endpoint, and see the first delivery arrive. Each request is signed, retried for a day, and kept for you to look at.'}
    </Empty>
  );
}

function WebhookTable({
  list,
  activity,
  mayWrite,
}: {
  list: readonly ListedWebhook[];
  activity: WebhookActivity | undefined;
  mayWrite: boolean;
}) {
  const { href } = useTeam();
  const types = useEventTypes();
  const remove = useRemoveWebhook();
  const labels = new Map(types.data?.map(({ type, label }) => [type, label]));
  const byId = new Map(activity?.webhooks.map((one) => [one.id, one]));
  return (
    <table className="table folds webhooks">
      <thead>
        <tr>
          <th>URL</th>
          <th>Events</th>
          <th>Projects</th>
          <th>Last 24 hours</th>
          <th>Last delivery</th>
          <th>
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {list.map((webhook) => {
          const own = byId.get(webhook.id);
          return (
            <tr key={webhook.id}>
              <td>
                <div className="webhook-url">
                  <Link href={href(`settings/webhooks/${webhook.id}`)} className="webhook-link">
                    <PlainLine text={webhook.url} mono />
                  </Link>
                  {webhook.enabled ? null : <Badge tone="amber">Disabled</Badge>}
                </div>
              </td>
              <td data-label="Events">
                <Some items={webhook.events.map((type) => labels.get(type) ?? type)} />
              </td>
              <td data-label="Projects">
                {webhook.projectsMetadata === null ? (
                  'All Team Projects'
                ) : (
                  <Some
                    items={(webhook.projectIds ?? []).map(
                      (id) => webhook.projectsMetadata?.find((project) => project.id === id)?.name ?? id,
                    )}
                  />
                )}
              </td>
              <td data-label="Last 24 hours">
                {own === undefined ? (
                  <Skeleton width={120} height={24} />
                ) : (
                  <OutcomeBar buckets={own.buckets} />
                )}
              </td>
              <td data-label="Last delivery">
                <LastDelivery activity={own} isRead={activity !== undefined} />
              </td>
              <td className="webhook-remove">
                {mayWrite ? (
                  <IconButton icon={X} label={`Remove ${webhook.url}`} onClick={() => void remove(webhook)} />
                ) : null}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function LastDelivery({
  activity,
  isRead,
}: {
  activity: WebhookActivity['webhooks'][number] | undefined;
  isRead: boolean;
}) {
  if (activity === undefined)
    return isRead ? <span className="quiet">None yet</span> : <Skeleton width={12} />;
  if (activity.lastDeliveryAt === null || activity.lastState === null) {
    return <span className="quiet">None yet</span>;
  }
  return (
    <span className="last-delivery">
      <DeliveryStatus state={activity.lastState} />
      <span className="quiet">
        <Time at={activity.lastDeliveryAt} />
      </span>
    </span>
  );
}

/** The first of some names, and how many there are beside it. */
function Some({ items }: { items: readonly string[] }) {
  const [first = '—', ...rest] = items;
  return (
    <span className="some" title={items.join('\n')}>
      <PlainLine text={first} />
      {rest.length === 0 ? null : <Badge>+{rest.length}</Badge>}
    </span>
  );
}
