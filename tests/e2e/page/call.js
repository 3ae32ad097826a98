// A bare call on livekit-client: tests drive it through `window.call` and read plain values back.
"use strict";
(() => {
  const { Room, RoomEvent, Track, ConnectionState, VideoQuality, VideoPresets } = LivekitClient;
  const elements = new Map();
  const events = [];
  let room = null;

  const keyOf = (identity, source) => `${identity}/${source}`;

  function publicationOf(identity, source) {
    const participant =
      identity === room.localParticipant.identity ? room.localParticipant : room.remoteParticipants.get(identity);
    return participant?.getTrackPublication(source);
  }

  function attach(track, publication, participant) {
    const element = track.attach();
    element.muted = track.kind === Track.Kind.Video;
    document.getElementById("media").append(element);
    elements.set(keyOf(participant.identity, publication.source), element);
  }

  function record(name, detail = {}) {
    events.push({ at: performance.now(), name, ...detail });
    document.getElementById("state").textContent = name;
  }

  async function statsOf(track) {
    const report = track.receiver ? await track.receiver.getStats() : await track.sender.getStats();
    return [...report.values()];
  }

  window.call = {
    events,

    async join(url, token, options = {}) {
      room = new Room({
        adaptiveStream: false,
        dynacast: false,
        singlePeerConnection: options.singlePeerConnection ?? true,
        publishDefaults: { simulcast: options.simulcast ?? false, videoCodec: options.codec ?? "vp8" },
      });
      const forward = {
        [RoomEvent.Reconnecting]: "reconnecting",
        [RoomEvent.SignalReconnecting]: "signalReconnecting",
        [RoomEvent.Reconnected]: "reconnected",
        [RoomEvent.Connected]: "connected",
        [RoomEvent.Disconnected]: "disconnected",
      };
      for (const [event, name] of Object.entries(forward)) {
        room.on(event, (reason) => record(name, { reason: String(reason ?? "") }));
      }
      room.on(RoomEvent.TrackSubscribed, (track, publication, participant) => {
        attach(track, publication, participant);
        record("subscribed", { key: keyOf(participant.identity, publication.source) });
      });
      room.on(RoomEvent.TrackUnsubscribed, (track, publication, participant) => {
        for (const element of track.detach()) element.remove();
        record("unsubscribed", { key: keyOf(participant.identity, publication.source) });
      });
      room.on(RoomEvent.TrackUnpublished, (publication, participant) =>
        record("unpublished", { key: keyOf(participant.identity, publication.source) }),
      );
      room.on(RoomEvent.ParticipantDisconnected, (participant) =>
        record("left", { identity: participant.identity }),
      );
      room.on(RoomEvent.DataReceived, (payload, participant, _kind, topic) =>
        record("data", { text: new TextDecoder().decode(payload), from: participant?.identity, topic }),
      );
      const started = performance.now();
      await room.connect(url, token, { autoSubscribe: true, rtcConfig: options.rtcConfig });
      return performance.now() - started;
    },

    async leave() {
      await room?.disconnect();
    },

    identities: () => [...room.remoteParticipants.keys()].sort(),
    state: () => room?.state ?? ConnectionState.Disconnected,

    async microphone(on = true) {
      await room.localParticipant.setMicrophoneEnabled(on, { echoCancellation: false, noiseSuppression: false, autoGainControl: false });
    },
    async camera(on = true, resolution = null) {
      await room.localParticipant.setCameraEnabled(on, resolution ? { resolution } : { resolution: VideoPresets.h360.resolution });
    },
    async screen(on = true) {
      await room.localParticipant.setScreenShareEnabled(on, { resolution: VideoPresets.h720.resolution });
    },

    // What is decoded of somebody's track: null before it is subscribed.
    async received(identity, source) {
      const publication = publicationOf(identity, source);
      const element = elements.get(keyOf(identity, source));
      if (!publication?.track?.receiver || !element) return null;
      const inbound = (await statsOf(publication.track)).find((item) => item.type === "inbound-rtp");
      return {
        sid: publication.trackSid,
        muted: publication.isMuted,
        frames: inbound?.framesDecoded ?? 0,
        energy: inbound?.totalAudioEnergy ?? 0,
        packets: inbound?.packetsReceived ?? 0,
        lost: inbound?.packetsLost ?? 0,
        freezes: inbound?.freezeCount ?? 0,
        concealed: inbound?.concealedSamples ?? 0,
        samples: inbound?.totalSamplesReceived ?? 0,
        width: element.videoWidth ?? 0,
        height: element.videoHeight ?? 0,
        shown: element.getVideoPlaybackQuality?.().totalVideoFrames ?? 0,
        time: element.currentTime,
      };
    },

    // Longest time (ms) between two pictures of somebody's track, from now on.
    watchGaps(identity, source) {
      const element = elements.get(keyOf(identity, source));
      element.lastPicture = performance.now();
      element.longestGap = 0;
      const seen = () => {
        const now = performance.now();
        element.longestGap = Math.max(element.longestGap, now - element.lastPicture);
        element.lastPicture = now;
        element.requestVideoFrameCallback(seen);
      };
      element.requestVideoFrameCallback(seen);
    },
    longestGap(identity, source) {
      const element = elements.get(keyOf(identity, source));
      return Math.max(element.longestGap, performance.now() - element.lastPicture);
    },

    // Peak of somebody's sound as the page would play it, measured with an analyser for a while (ms).
    async loudness(identity, source = "microphone", duration = 1500) {
      const publication = publicationOf(identity, source);
      const context = new AudioContext();
      await context.resume();
      const analyser = context.createAnalyser();
      context.createMediaStreamSource(new MediaStream([publication.track.mediaStreamTrack])).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      let peak = 0;
      const end = performance.now() + duration;
      while (performance.now() < end) {
        analyser.getFloatTimeDomainData(samples);
        for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      await context.close();
      return peak;
    },

    quality(identity, source, name) {
      publicationOf(identity, source).setVideoQuality(VideoQuality[name]);
    },

    subscribe(identity, source, wanted) {
      publicationOf(identity, source).setSubscribed(wanted);
    },

    // Candidate pairs in use: [{ protocol, tcpType }] of the server's end.
    async paths() {
      const paths = [];
      const manager = room.engine.pcManager;
      for (const transport of [manager.publisher, manager.subscriber]) {
        if (!transport) continue;
        const report = await transport.getStats();
        const all = [...report.values()];
        for (const item of all.filter((one) => one.type === "transport" && one.selectedCandidatePairId)) {
          const pair = report.get(item.selectedCandidatePairId);
          const remote = report.get(pair.remoteCandidateId);
          paths.push({ protocol: remote.protocol, port: remote.port, state: pair.state, dtls: item.dtlsState, srtp: item.srtpCipher });
        }
      }
      return paths;
    },

    async layersSent() {
      const publication = room.localParticipant.getTrackPublication("camera");
      const report = await statsOf(publication.track);
      return report
        .filter((item) => item.type === "outbound-rtp" && item.kind === "video")
        .map((item) => ({ rid: item.rid ?? "", frames: item.framesSent ?? 0, width: item.frameWidth ?? 0 }));
    },

    async send(text, topic, to = []) {
      await room.localParticipant.publishData(new TextEncoder().encode(text), { reliable: true, topic, destinationIdentities: to });
    },

    rpcServe(method) {
      room.registerRpcMethod(method, async (data) => `${room.localParticipant.identity} heard ${data.payload}`);
    },
    rpc: (to, method, payload) =>
      room.localParticipant.performRpc({ destinationIdentity: to, method, payload }),

    textServe(topic) {
      room.registerTextStreamHandler(topic, async (reader, from) =>
        record("text", { text: await reader.readAll(), from: from.identity }),
      );
    },
    text: (text, topic) => room.localParticipant.sendText(text, { topic }),
  };
})();
