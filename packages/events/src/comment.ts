// Comment Events: messages, threads and comments that people leave on deployments. Undocumented: only the
// names are known.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { looseObject, looseString, outlinePayload } from './parts.ts';
import * as sample from './sample.ts';

const place = {
  ...sample.teamAndUser,
  project: sample.project,
  deployment: { id: sample.deploymentId },
  thread: { id: 'thread_9rLwV4nHcD1JQ7kY' },
};
const remark = Type.Optional(Type.Object({ id: looseString, text: looseString }));
const schema = outlinePayload({
  deployment: looseObject,
  thread: looseObject,
  message: remark,
  comment: remark,
});
const shared = { category: 'Comment Events', availability: 'account', documented: false, schema } as const;

const describeMessage = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({
    ...shared,
    type,
    label,
    description,
    sample: {
      ...place,
      message: { id: 'msg_5xPzT8vKqL2mRw7N', text: 'The total is cut off on small screens.' },
    },
  });
const describeThread = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({ ...shared, type, label, description, sample: place });
const describeComment = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({
    ...shared,
    type,
    label,
    description,
    sample: { ...place, comment: { id: 'cmt_3kVyT6nWqZ8rXm4L', text: 'Looks right now, thank you.' } },
  });

export const commentTypes = [
  describeMessage('message.created', 'Message Created', 'A message is written in a thread.'),
  describeMessage('message.updated', 'Message Updated', 'A message in a thread is edited.'),
  describeMessage('message.deleted', 'Message Deleted', 'A message in a thread is deleted.'),
  describeMessage('message.reaction-added', 'Message Reaction Added', 'Somebody reacts to a message.'),
  describeMessage(
    'message.reaction-removed',
    'Message Reaction Removed',
    'A reaction to a message is withdrawn.',
  ),
  describeMessage('message.mentioned', 'Message Mentioned', 'A message mentions somebody.'),
  describeThread('thread.resolved', 'Thread Resolved', 'A thread is marked as resolved.'),
  describeThread('thread.unresolved', 'Thread Unresolved', 'A resolved thread is opened again.'),
  describeComment('comment.created', 'Comment Created', 'A comment is left on a deployment.'),
  describeComment('comment.updated', 'Comment Updated', 'A comment is edited.'),
  describeComment('comment.deleted', 'Comment Deleted', 'A comment is deleted.'),
  describeComment('comment.resolved', 'Comment Resolved', 'A comment is marked as resolved.'),
  describeComment('comment.unresolved', 'Comment Unresolved', 'A resolved comment is opened again.'),
  describeComment('comment.reaction-added', 'Comment Reaction Added', 'Somebody reacts to a comment.'),
  describeComment(
    'comment.reaction-removed',
    'Comment Reaction Removed',
    'A reaction to a comment is withdrawn.',
  ),
  describeComment('comment.mentioned', 'Comment Mentioned', 'A comment mentions somebody.'),
];
