import type { Chat } from "./chat";
import type { HelpCore } from "./core";
import type { Devices } from "./devices";
import type { HelpRoom } from "./room";

interface Parts {
  readonly room: HelpRoom;
  readonly devices: Devices;
  readonly chat: Chat;
}

/** Coming into the talk and leaving it. */
export class Talk {
  constructor(
    private readonly core: HelpCore,
    private readonly parts: Parts,
  ) {}

  /** A guest comes in. */
  joinAsGuest(): void {
    const { room, devices, chat } = this.parts;
    devices.wantMicrophone();
    room.forgive();
    this.core.dispatch({ type: "guest", state: "joined" });
    this.core.kept.change({ call: this.core.options.guestOf });
    void this.core.attempts.quietly(() => chat.read());
    void devices.checkMicrophone();
  }

  /** A chat becomes a talk. */
  async upgrade(kind: "voice" | "video"): Promise<void> {
    this.parts.devices.wantCamera(kind === "video");
    await this.core.command(async (params) => {
      const answer = await this.core.requests.send((api) => api.POST("/v1/calls/{call}/upgrade", { params, body: { kind } }));
      this.parts.room.offer(answer.media);
      return answer.call;
    });
  }

  /** Takes a call-back that rings. */
  answerSummons(): void {
    this.parts.devices.wantMicrophone();
    this.core.dispatch({ type: "answered" });
  }

  /** Ends the call; a guest only goes. */
  async hangUp(): Promise<void> {
    if (this.core.options.guestOf !== null) {
      this.core.dispatch({ type: "guest", state: "left" });
      this.core.kept.change({ call: null });
      return;
    }
    await this.core.command((params) => this.core.requests.send((api) => api.POST("/v1/calls/{call}/end", { params })));
  }
}
