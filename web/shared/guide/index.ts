/* Guiding on a shared picture. How to use it:
 *
 *   const guide = new Guide(guideChannel(session.room), { draws: true, memory });   // agents and supervisors
 *   const guide = new Guide(guideChannel(session.room), { draws: false });          // students and guests
 *   guide.close();                                                                  // with the call
 *
 * Make it right after the CallSession, before or after `join`; it follows the room by itself. One per call.
 *
 * CONSOLE (React), web/console/guide:
 *   const guide = useGuide(session, callId);
 *   <GuideStage guide={guide} surface={{ owner: "student-1", source: "screen" }} video={videoElement} me={myIdentity} nameOf={(id) => name} />
 * lies over the <video> (object-fit: contain) in a position: relative box of the same size as the video and holds
 * toolbar and canvas. It works in a pop-out window too (it uses the video's own document).
 *
 * WIDGET, web/widget/guide:
 *   const sharing = new GuidedSharing(session, guide, guideTranslator(locale, child));   // framework-free
 *   await sharing.start();   // instead of session.setScreen(true): covers [data-raisehand-private], asks, publishes
 *   await sharing.stop();
 *   sharing.state            // Store<{ phase: "off" | "asking" | "on", where: "page" | "mirror" | "none", covered, frozenBy, marks }>
 *   <GuideMirror sharing={sharing} t={guideTranslator(locale, child)} camera={cameraTrack} />   // Preact: the small picture,
 *                             // shows itself when it is needed; styles in widget/guide/mirror.css
 * The overlay over our own page is put up and taken down by GuidedSharing itself.
 */
export * from "./geometry";
export * from "./guide";
export * from "./livekit";
export * from "./model";
export * from "./wire";
