/* The student's side of guiding. In the call view:
 *
 *   const guide = new Guide(guideChannel(session.room), { draws: false });
 *   const sharing = new GuidedSharing(session, guide, guideTranslator(locale, child));
 *   await sharing.start();  // "Share my screen"; gives a ProblemKind or null
 *   <GuideMirror sharing={sharing} t={...} camera={cameraTrack} />  // anywhere in the panel, styles: mirror.css
 *   sharing.close(); guide.close();                                 // with the call
 */
export { GuideMirror } from "./mirror";
export { GuidedSharing, type SharingState } from "./sharing";
