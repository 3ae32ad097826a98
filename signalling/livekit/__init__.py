"""LiveKit's client protocol and RoomService, as its SDKs and command line speak them."""
