// Log/Follower:Follower
