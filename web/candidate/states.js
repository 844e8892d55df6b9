// The words for each state of the interview and for each thing that can go wrong.
// Codes come from the protocol (STATE, ERROR, close codes, /join/info) or from the browser; words are ours.

/** What Maya is doing, as the candidate should understand it. `voice` picks the look of the centrepiece. */
export const STATES = {
  CONNECTING: { title: 'Connecting…', hint: 'One moment please.', voice: 'wait' },
  WAITING: { title: 'Maya will be right with you', hint: 'You are connected. This takes a moment.', voice: 'wait' },
  GREETING: { title: 'Maya is speaking', hint: 'She greets you and explains how it goes.', voice: 'maya' },
  SPEAKING: { title: 'Maya is speaking', hint: 'You can interrupt her: just start to speak.', voice: 'maya' },
  LISTENING: { title: 'Maya is listening', hint: 'Take your time. Speak when you are ready.', voice: 'you' },
  THINKING: { title: 'Maya is thinking', hint: 'She has heard you. You can still add something.', voice: 'think' },
  SUSPENDED: { title: 'A short pause', hint: 'Something on our side needs a moment. Nothing you said is lost. Please stay here.', voice: 'wait' },
  RECONNECTING: { title: 'Connecting again…', hint: 'Your connection dropped. Please wait a moment before you go on.', voice: 'wait' },
  CLOSING: { title: 'Maya is saying goodbye', hint: 'The interview is coming to an end.', voice: 'maya' },
  LEAVING: { title: 'Closing the interview…', hint: 'One moment please.', voice: 'wait' },
  ENDED: { title: 'The interview has ended', hint: '', voice: 'wait' },
};

export function stateWords(state) {
  return STATES[state] || { title: 'One moment', hint: '', voice: 'wait' };
}

/** Whole-page problems: the interview cannot go on here until something changes. `retry`: again | here | none. */
export const PROBLEMS = {
  invalid_link: { title: 'This link does not work', body: ['It may have been copied only in part, or it has been replaced by a newer one.', 'Open the link again from your invitation. If it still does not work, ask the person who invited you for a new one.'], retry: 'none' },
  expired: { title: 'This invitation has expired', body: ['The time in which the interview could be held is over.', 'Ask the person who invited you whether a new date is possible.'], retry: 'none' },
  withdrawn: { title: 'This invitation is no longer open', body: ['It was withdrawn, or the interview has been cancelled.', 'The people who invited you can tell you more.'], retry: 'none' },
  ended: { title: 'This interview has already ended', body: ['There is nothing more for you to do. What you said is being read by the people who decide.', 'If you think this is a mistake, contact the person who invited you.'], retry: 'none' },
  early: { title: 'You are a little early', body: ['The interview is not open yet. You can leave this page open: it continues by itself as soon as you can join.'], retry: 'again' },
  unreachable: { title: 'We cannot reach the interview', body: ['The interview did not answer. This may be your connection, or a short problem on our side.', 'Check that you are online, then try again.'], retry: 'again' },
  lost: { title: 'We could not connect you again', body: ['The connection has been gone for several minutes. Check that you are online, then try again.', 'If the interview has closed meanwhile, what you said before is kept.'], retry: 'again' },
  insecure: { title: 'This page is not secure enough for a microphone', body: ['Browsers only allow a microphone on a secure address, one that begins with https://.', 'Ask the person who invited you for an https link.'], operator: 'If you run this system yourself, serve it over https, or open it through a tunnel from your own computer:', retry: 'none' },
  unsupported: { title: 'This browser cannot hold the interview', body: ['It is missing a part that is needed for live sound.', 'Please use a current version of Chrome, Edge, Firefox or Safari.'], retry: 'none' },
  mic_denied: { title: 'The microphone is blocked', body: ['Maya can only interview you if she can hear you, and your browser does not allow it for this page.', 'Open the settings next to the address bar (a lock, sliders or a microphone), allow the microphone, then try again.'], retry: 'again' },
  mic_missing: { title: 'No microphone was found', body: ['Connect a microphone or a headset, then try again.', 'If one is connected, check in the settings of your computer that it is switched on.'], retry: 'again' },
  mic_busy: { title: 'The microphone is in use elsewhere', body: ['Another program, often a video call, holds your microphone.', 'Close that program, then try again.'], retry: 'again' },
  mic_failed: { title: 'The microphone could not be started', body: ['Unplug it and plug it in again, or choose another one, then try again.'], retry: 'again' },
  replaced: { title: 'This interview is open in another tab', body: ['It can only be open in one place at a time, and it has just been opened in another tab or on another device. Go on there.', 'Or take it back to this page.'], retry: 'here' },
  broken: { title: 'Something went wrong on this page', body: ['The interview itself is safe. Try again to go back to it.'], retry: 'again' },
};

/** Why the interview ended (the `reason` of STATE ENDED); anything unknown is a normal end. */
export const ENDINGS = {
  COMPLETED: 'The interview is complete. Thank you for your time and for your answers.',
  LEFT: 'You have left the interview. What you said until then is kept.',
  ABANDONED: 'The interview was closed because the connection was gone for too long. What you said until then is kept.',
  CANCELLED: 'The interview was cancelled by the people who invited you. They can tell you more.',
  EXPIRED: 'The time in which the interview could be held is over. Ask the person who invited you whether a new date is possible.',
  FAILED: 'We are sorry: a problem on our side ended the interview. This is not held against you. The people who invited you are told.',
};

export function endingWords(reason, left) {
  if (left) return ENDINGS.LEFT;
  return ENDINGS[String(reason || 'COMPLETED').toUpperCase()] || ENDINGS.COMPLETED;
}

/** Small notices over the live interview: it goes on, but the candidate should know. */
export const NOTICES = {
  slow: { text: 'Your connection is slow. Maya may hear you late; everything you say still reaches her.', tone: 'warn' },
  silent: { text: 'We have not heard anything for a while. If you are thinking, take your time. If you are speaking, check that your microphone is on.', tone: 'warn' },
  mic_muted: { text: 'Your microphone was muted by your computer or headset. Please switch it on there.', tone: 'warn' },
  mic_gone: { text: 'Your microphone was disconnected. We are looking for another one.', tone: 'bad' },
  mic_back: { text: 'Your microphone works again.', tone: 'good' },
  backlog: { text: 'We are a little behind. Please pause for a moment, then go on.', tone: 'warn' },
  overloaded: { text: 'It is very busy on our side. Please stay: it goes on in a moment.', tone: 'warn' },
  internal: { text: 'Something went wrong on our side. We are putting it right; please stay here.', tone: 'warn' },
  audio_restart: { text: 'We had trouble with your sound and started it again. Please repeat your last words.', tone: 'warn' },
};

/** Which notice (if any) an ERROR of the protocol shows. The others are for the log, not for a candidate. */
export const ERROR_NOTICE = { audio_backlog: 'backlog', overloaded: 'overloaded', internal: 'internal', bad_audio: 'audio_restart' };
